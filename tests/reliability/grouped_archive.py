"""An archive of equal groups, a shard each: a few videos that are over at once, then one that takes seconds.

So there is a time when a process holds finished videos that are not committed yet: while the long one is open.
"""

import json
import shutil
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import stcn_core
from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.outputs import store
from stcn_core.synthetic.clips import draw_clip
from tests.reliability.processes import readers_of
from tests.reliability.small_run import verified

SHORTS, LONG = ("a", "b", "c"), "z"  # of each group, in the order in which they are done
LONG_SECONDS = 4.0  # in which a test finds the long video open, and the driver asks for draining nodes every 2 s
MIN_FRAMES, MAX_FRAMES = 800, 8_000
MEASURED_FRAMES = 100
GROUPS = 4  # as many shards, for one actor


def long_frames(model_file: Path) -> int:
    """Frames that take about LONG_SECONDS on this machine: its kinds differ by a factor of four."""
    clip = draw_clip(0, range(MEASURED_FRAMES), 48, width=64, objects=2)
    model = stcn_core.for_inference(stcn_core.load_model(model_file))
    started = time.monotonic()
    done = sum(1 for _ in stcn_core.propagate(model, clip.frames, {0: clip.labels[0]}))
    return min(MAX_FRAMES, max(MIN_FRAMES, round(LONG_SECONDS * done / (time.monotonic() - started))))


def draw_groups(folder: Path, frames: int) -> Path:
    """Draw it; returns the manifest. frames: of the long video of each group."""
    short = DrawnVideo(video_id="short", seed=1, frames=6, height=48, width=64, rate=Fraction(24), objects=1)
    draw_archive(
        [
            short,
            DrawnVideo(video_id="long", seed=2, frames=frames, height=48, width=64, rate=Fraction(24), objects=2),
        ],
        folder / "drawn",
    )
    (folder / "videos").mkdir()
    lines = ["video_id,video,prompts"]
    for video_id in (f"{group}{name}" for group in range(GROUPS) for name in (*SHORTS, LONG)):
        source = "long" if video_id.endswith(LONG) else "short"
        shutil.copy(folder / f"drawn/videos/{source}.mp4", folder / f"videos/{video_id}.mp4")
        lines.append(f"{video_id},videos/{video_id}.mp4,drawn/prompts/{source}")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder / "manifest.csv"


def at_long(manifest: Path, *known: int) -> Callable[[], tuple[str, int] | None]:
    """Looks for a group whose long video is open, and the process that has it open; other than those known."""

    def look() -> tuple[str, int] | None:
        groups = {manifest.parent / f"videos/{group}{LONG}.mp4": str(group) for group in range(GROUPS)}
        found = ((groups[path], pid) for path, pids in readers_of(*groups).items() for pid in pids - {*known})
        return next(found, None)

    return look


def check_whole(output: str) -> None:
    """Every video is done, at its first try, and videos of equal content have equal masks."""
    assert verified(output).rows["done"] == GROUPS * (len(SHORTS) + 1)
    assert {row.attempts for row in store.read_videos(f"{output}/{store.VIDEOS_FILE}")} == {1}
    masks: dict[str, list[str]] = {}
    for table in store.read_masks(output):
        for row in table.to_pylist():
            masks.setdefault(row.pop("video_id"), []).append(json.dumps(row, sort_keys=True))
    contents = {(name[1:] == LONG, "\n".join(sorted(rows))) for name, rows in masks.items()}
    assert len(contents) == 2
