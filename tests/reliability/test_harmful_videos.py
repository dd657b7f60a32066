"""Promise: a crash, a hang, memory that runs out, an error: each is told apart, charged to its video alone, tried again
within a budget, and quarantined with class, message and attempts; all other videos come out as if it were not there."""

import csv
import signal
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.outputs import store
from jobs.records import VideoRow
from tests.jobs.inputs.videos.test_video import write
from tests.lengths import short_and_long
from tests.parts import stcn
from tests.preloaded.process import Process
from tests.reliability.harmful_inputs import Striking, Unanswering, draw_hungry, draw_misnamed
from tests.reliability.processes import wait_for
from tests.reliability.small_run import masks, verified_rows

pytestmark = pytest.mark.usefixtures("ray_cluster")

DRAWN = [
    DrawnVideo(video_id=f"{n}", seed=n, frames=6 + n, height=48, width=64, rate=Fraction(24), objects=1 + n % 3)
    for n in range(8)
]
SOUND = {f"{video.video_id}-{copy}": video.video_id for video in DRAWN for copy in range(3)}  # in shards of four
FRAMES = 400  # of a video that takes seconds and 20 kB: open all the time, in a shard with sound ones

EXPECTED = {
    "0-2-crash": "Crash", "1-2-hang": "Hang", "2-2-broken": "VideoError",
    "4-2-memory": "OutOfMemory", "5-2-prompts": "PromptError", "6-2-error": "UnicodeEncodeError",
}  # fmt: skip
TRIED_ONCE = {"VideoError", "PromptError"}  # what will be the same each time
MESSAGES = {
    "0-2-crash": "worker process has died", "1-2-hang": "(--stall-seconds)",
    "2-2-broken": "cannot be opened as a video", "4-2-memory": "over its share of 1.0 (--memory-per-actor)",
    "5-2-prompts": "a mask is 4096x4096, its frame 64x48", "6-2-error": "surrogates not allowed",
}  # fmt: skip
Masks = dict[str, list[store.MaskRow]]  # by video


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of sound videos, and a long one."""
    folder = tmp_path_factory.mktemp("archive")
    draw_archive(DRAWN, folder)
    write(folder / "long.mp4", FRAMES)
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder: Path, model_file: Path) -> Masks:
    """The masks of the sound videos."""
    output = folder / "undisturbed"
    result = stcn("segment", with_others(folder, {}), output, *options(model_file))
    assert result.returncode == 0, result.stderr
    return masks(str(output), SOUND)


def options(model_file: Path) -> list[str | Path]:
    return ["--model", model_file, "--actors", "2", "--threads-per-actor", "1", "--short-side", "0"]


def with_others(folder: Path, others: dict[str, tuple[Path, Path]]) -> Path:
    """A manifest of the sound videos and some more."""
    manifest = folder / "with-others.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("video_id", "video", "prompts"))
        writer.writerows((name, f"videos/{drawn}.mp4", f"prompts/{drawn}") for name, drawn in SOUND.items())
        writer.writerows((name, *places) for name, places in others.items())
    return manifest


def draw_harms(folder: Path, place: Path) -> tuple[Path, Path, Path]:
    """Draw a video of each harm in a place of the test. Returns a manifest of them among the sound ones, the video
    whose readers are to be struck, and the one that is not to answer."""
    lethal, prompts = folder / "long.mp4", folder / "prompts/0"
    silent, broken, hungry, mask = (place / name for name in ("silent.mp4", "broken.mp4", "hungry.mp4", "huge.png"))
    silent.write_bytes(lethal.read_bytes())
    broken.write_bytes(lethal.read_bytes()[:-1000])
    draw_hungry(hungry, mask)
    draw_misnamed(place / "misnamed")
    manifest = with_others(folder, {
        "0-2-crash": (lethal, prompts), "1-2-hang": (silent, prompts), "2-2-broken": (broken, prompts),
        "4-2-memory": (hungry, mask), "5-2-prompts": (folder / "videos/1.mp4", mask),
        "6-2-error": (place / "misnamed", prompts / "00000.png"),
    })  # fmt: skip
    return manifest, lethal, silent


def outcome(row: VideoRow) -> tuple[str, str | None, int]:
    return row.status, row.error_class, row.attempts


# Each try of the video that hangs waits for --stall-seconds.
@short_and_long("tries, stall_seconds", short=[(1, 10)], long=[(2, 20)])
def test_each_harmful_video_is_quarantined_and_harms_no_other(
    tries: int, stall_seconds: int, folder: Path, undisturbed: Masks, model_file: Path, tmp_path: Path
) -> None:
    manifest, lethal, silent = draw_harms(folder, tmp_path)
    output = str(tmp_path / "out")
    with Striking(lethal, signal.SIGSEGV) as strikes, Unanswering(silent) as waiting:
        result = stcn(
            "segment", manifest, output, *options(model_file), "--max-attempts", str(tries),
            "--stall-seconds", str(stall_seconds), "--memory-per-actor", "1",
        )  # fmt: skip
    assert result.returncode == 3, result.stderr
    rows = verified_rows(output)
    for name, expected in EXPECTED.items():
        assert outcome(rows[name]) == ("quarantined", expected, 1 if expected in TRIED_ONCE else tries), rows[name]
    for name, words in MESSAGES.items():
        assert words in str(rows[name].error_message)
        assert (rows[name].error_traceback is None) == (rows[name].error_class in TRIED_ONCE), rows[name]
    assert f"no frame came for {stall_seconds} s" in str(rows["1-2-hang"].error_message)
    assert (len(strikes.struck), waiting.waited) == (tries, tries)
    assert all(outcome(rows[name]) == ("done", None, 1) for name in SOUND)
    assert masks(output, SOUND) == undisturbed

    again = stcn("retry", output, "--only", "Crash", "--only", "Hang")  # what did the harm is gone
    assert again.returncode == 3, again.stderr
    after = verified_rows(output)
    assert {name for name, row in after.items() if row != rows[name]} == {"0-2-crash", "1-2-hang"}
    assert {after[name].frames_decoded for name in ("0-2-crash", "1-2-hang")} == {FRAMES}


# The driver's wait for a sign, beyond --stall-seconds, is a minute.
IMPATIENT = """
from jobs.cli import __main__ as cli
from jobs.actors import pool
pool.UNRESPONSIVE_SECONDS = 2.0
cli.main()
"""


@short_and_long("tries", short=[1], long=[2])
def test_stopped_process_is_killed_by_the_driver(
    tries: int, folder: Path, undisturbed: Masks, model_file: Path, tmp_path: Path
) -> None:
    """Stopped by a signal, no thread of it runs: as when code hangs that keeps Python's lock."""
    video = folder / "long.mp4"
    manifest = with_others(folder, {"3-2-long": (video, folder / "prompts/0")})
    output = str(tmp_path / "out")
    command = ["segment", manifest, output, *options(model_file), "--max-attempts", str(tries), "--stall-seconds", "10"]
    with Striking(video, signal.SIGSTOP) as strikes, Process("-c", IMPATIENT, *command) as process:
        assert process.wait(300) == 3, process.errors()
    rows = verified_rows(output)
    assert outcome(rows["3-2-long"]) == ("quarantined", "Hang", tries)
    assert rows["3-2-long"].error_message == "its process gave no sign for 12 s, and was ended"
    assert len(strikes.struck) == tries
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in strikes.struck), 20)  # the last was killed just now
    assert all(outcome(rows[name]) == ("done", None, 1) for name in SOUND)
    assert masks(output, SOUND) == undisturbed
