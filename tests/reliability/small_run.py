"""A run without Ray and without a network: every step that touches storage, as the driver and its actors take them."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from jobs.commands.verify import Findings, verify
from jobs.io import storage
from jobs.ledger.ledger import Commit, Ledger
from jobs.ledger.log import Log
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.records import NO_MASKS, ShardWritten, Status, VideoRow
from tests.jobs.outputs.test_store import rows as mask_rows

ME = {"user": "me", "host": "here", "pid": 1, "since": "today"}
FIRST = {"a": "1", "b": "1"}  # video -> version
THEN = {"a": "2", "b": "1", "c": "1", "d": "1", "e": "broken"}


class SmallRun:
    """Brings an output to a state: which version of each video its masks are of. `broken` ones are quarantined."""

    def __init__(self, output: str, folder: Path) -> None:
        self.output, self._folder = output, folder
        self._manifest = folder / "manifest.csv"
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, wanted: dict[str, str], name: str) -> None:
        """What `stcn segment` does: begin, make what is missing a shard each, commit two at a time, write the table."""
        lines = [f"{video},{video}.mp4,{video}.png" for video in wanted]
        self._manifest.write_text("\n".join(["video_id,video,prompts", *lines]))
        ledger = Ledger(self.output)
        ledger.begin(name, ME)
        ledger.forget_lost()
        config = SegmentConfig(manifest=str(self._manifest), output=self.output)
        info = {"videos": len(wanted), "config": config.as_dict()}
        storage.write(f"{self.output}/{store.RUN_FILE}", json.dumps(info).encode())
        self._write_videos(ledger, wanted)
        todo = [v for v in wanted if _work(v, wanted[v]) not in ledger.finished()]
        for number in range(0, len(todo), 2):
            ledger.commit([self._attempt(f"_attempts/{name}/{v}", v, wanted[v]) for v in todo[number : number + 2]])
        self._write_videos(ledger, wanted)
        storage.remove(f"{self.output}/_attempts/{name}")

    def _attempt(self, attempt: str, video: str, version: str) -> Commit:
        return Commit(attempt, [_row(video, version)], self._write(attempt, video, version))

    def _write(self, attempt: str, video: str, version: str) -> ShardWritten:
        if version == "broken":
            return NO_MASKS
        path = self._folder / "shard.parquet"
        with store.MaskWriter(path) as writer:
            writer.add(store.masks_table(mask_rows(video, 4 + int(version))))
        content, location = path.read_bytes(), f"{self.output}/{attempt}/shard.parquet"
        storage.write(location, content)
        return ShardWritten(location, len(content), storage.sha256(content))

    def _write_videos(self, ledger: Ledger, wanted: dict[str, str]) -> None:
        rows = []
        for video, version in wanted.items():
            known = ledger.videos.get(video)
            is_known = known is not None and known.work_id == _work(video, version)
            rows.append(known if known is not None and is_known else _row(video, version, "pending"))
        store.write_videos(f"{self.output}/{store.VIDEOS_FILE}", rows)


def _work(video: str, version: str) -> str:
    return f"{video}-{version}"


def _row(video: str, version: str, status: Status | None = None) -> VideoRow:
    status = status or ("quarantined" if version == "broken" else "done")
    masks = 4 + int(version) if status == "done" else None
    error = "VideoError" if status == "quarantined" else None
    return VideoRow(
        video_id=video,
        work_id=_work(video, version),
        status=status,
        video=f"{video}.mp4",
        prompts=f"{video}.png",
        masks=masks,
        error_class=error,
    )


def digest(output: str) -> str:
    """Of all rows of masks, in order: equal for equal masks, however they are spread over files."""
    rows = sorted(json.dumps(row, sort_keys=True) for table in store.read_masks(output) for row in table.to_pylist())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def check_readers(output: str) -> None:
    """What a reader sees now: whole files, in masks/ each as some commit placed it, and no video twice."""
    store.read_videos(f"{output}/{store.VIDEOS_FILE}")
    with suppress(FileNotFoundError):
        store.run_info(output)
    records = Log(f"{output}/_ledger/records").open()
    placed = {name: file for record in records for name, file in record.get("files", {}).items() if file}
    seen: list[str] = []
    for info in storage.find(f"{output}/masks", [".parquet"]):
        content, name = storage.read(info.location), storage.name_of(info.location)
        assert name in placed, "a file that nobody committed"
        assert storage.sha256(content) == placed[name]["sha256"], "a file that is not whole"
        seen += set(store.parse(content)["video_id"].to_pylist())
    assert len(seen) == len(set(seen)), f"a video twice: {sorted(seen)}"


def verified(output: str) -> Findings:
    """`stcn verify`, which must find nothing."""
    found = verify(output)
    assert found.problems == []
    return found


def verified_rows(output: str) -> dict[str, VideoRow]:
    """The same, and each video's only row."""
    verified(output)
    rows = store.read_videos(f"{output}/{store.VIDEOS_FILE}")
    assert len({row.video_id for row in rows}) == len(rows)
    return {row.video_id: row for row in rows}


def masks(output: str, videos: Iterable[str]) -> dict[str, list[store.MaskRow]]:
    """The rows of masks of some videos."""
    wanted = set(videos)
    return {video.video_id: video.rows for video in masks_by_video(output) if video.video_id in wanted}
