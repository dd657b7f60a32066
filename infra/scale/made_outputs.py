"""Outputs of as many videos as an archive has, written without a run: a ledger alone, or with files of masks."""

import dataclasses
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.concurrency.threads import inheriting_pool
from jobs.io import storage
from jobs.ledger import checkpoints
from jobs.ledger.changes import Changes, record_of_commit
from jobs.ledger.checkpoints import Checkpoints
from jobs.ledger.ledger import LEDGER, Ledger
from jobs.ledger.log import FOLDER_RECORDS
from jobs.ledger.published import Files, Placement
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.records import PromptRead, Track, TrackEvent, VideoRow

MASKS_OF_VIDEO = 4
FRAMES_OF_VIDEO, RLE_CHARACTERS = 300, 420  # of a video of 10 s, and of a mask of 480p: 390 bytes a row, as real ones
PARALLEL_WRITES = 16


def row_of(number: int, masks_file: str) -> VideoRow:
    """The row of a video of two objects, as long as those of real runs."""
    events = (TrackEvent("drift", 20, 31),)
    return VideoRow(
        video_id=f"video-{number:08d}", work_id=f"{number * 2654435761 % 2**128:032x}", status="done",
        video=f"s3://bucket/archive/{number % 1000:04d}/video-{number:08d}.mp4",
        prompts=f"s3://bucket/prompts/video-{number:08d}.png", start=0, frames_expected=300 + number % 99,
        frames_decoded=300 + number % 99, frames_corrupt=0, height=480, width=854, pixel_aspect=1.0,
        frames_per_second=29.97, cuts=(), objects=2, masks=MASKS_OF_VIDEO, seconds=12.25 + number % 7, attempts=1,
        tracks=(Track(object_id=1, frames=300, events=events), Track(object_id=2, frames=280)),
        prompts_read=(PromptRead(frame=0, objects=(1, 2), source="00000.png"),), run="r", masks_file=masks_file,
    )  # fmt: skip


def write_ledger(output: str, commits: Iterable[Changes]) -> None:
    """Write the checkpoints of these commits, and the records that no checkpoint stands for."""
    written, tail = Checkpoints(storage.join(output, LEDGER, "checkpoints")), list[Changes]()
    for commit in commits:
        tail.append(commit)
        if len(tail) == checkpoints.BASE:
            of_all = Changes()
            for each in tail:
                of_all.add(each)
            written.add(of_all)
            tail = []
    for number, commit in enumerate(tail, written.stop):
        record = record_of_commit("r", [f"_attempts/r/{number}"], commit)
        content = json.dumps(record, sort_keys=True).encode()
        folder = storage.join(output, LEDGER, "records", f"{number // FOLDER_RECORDS:08d}")
        sealed = json.dumps({"sha256": storage.sha256(content), **record}).encode()
        storage.write(storage.join(folder, f"{number:08d}.json"), sealed)


def commits_of_ledger(records: int, videos: int) -> Iterator[Changes]:
    """Commits of one file each, with so many videos."""
    for number in range(records):
        name = f"{number:08d}-0123456789abcdef.parquet"
        rows = [row_of(number * videos + place, name) for place in range(videos)]
        files: Files = {name: Placement(f"_attempts/r/{number}/masks.parquet", 10**6, "0" * 64)}
        yield Changes(rows={row.video_id: row for row in rows}, files=files)


def write_masks(output: str, files: int, videos: int) -> Iterator[Changes]:
    """Write files of masks of so many videos; yields the commit of each."""
    with inheriting_pool(PARALLEL_WRITES) as pool:
        for number in range(files):
            rows = [row_of(number * videos + place, "") for place in range(videos)]
            buffer = io.BytesIO()
            with store.MaskWriter(buffer) as writer:
                writer.add(store.masks_table(mask for row in rows for mask in _masks(row.video_id)))
            content = buffer.getvalue()
            placed = Placement(f"_attempts/r/{number}/masks.parquet", len(content), storage.sha256(content))
            name = placed.name(number)
            pool.submit(storage.write, storage.join(output, "masks", name), content)
            rows = [dataclasses.replace(row, masks_file=name) for row in rows]
            yield Changes(rows={row.video_id: row for row in rows}, files={name: placed})


def write_shards(output: str, files: int, videos: int) -> Iterator[Changes]:
    """Write files of as many bytes as real shards of so many short videos leave: 1.6 MB for 16. Yields their commits.

    Texts are random, so that they compress as little as RLEs do, and in a merged file no better.
    """
    rng = np.random.default_rng(0)
    for number in range(files):
        rows = [dataclasses.replace(row_of(number * videos + n, ""), masks=FRAMES_OF_VIDEO) for n in range(videos)]
        content = store.to_bytes(_long_masks([row.video_id for row in rows], rng), store.MASKS)
        placed = Placement(f"_attempts/r/{number}/masks.parquet", len(content), storage.sha256(content))
        name = placed.name(number)
        storage.write(storage.join(output, "masks", name), content)
        rows = [dataclasses.replace(row, masks_file=name) for row in rows]
        yield Changes(rows={row.video_id: row for row in rows}, files={name: placed})


def finish(output: str, manifest: str) -> None:
    """Write what a run writes at its end: the table of videos, and the record of the run with its manifest."""
    table = store.to_bytes(_manifest_of(Ledger(output)), _MANIFEST)
    storage.write(manifest, table)
    ledger = Ledger(output)
    store.write_video_tables(storage.join(output, store.VIDEOS_FILE), ledger.videos.tables(), records=ledger.records)
    config = SegmentConfig(manifest=manifest, output=output).as_dict()
    storage.write(storage.join(output, store.RUN_FILE), json.dumps({"config": config}).encode())


_MANIFEST = store.VIDEOS.empty_table().select(["video_id", "video", "prompts"]).schema


def _manifest_of(ledger: Ledger) -> Any:
    return pa.concat_tables(table.select(_MANIFEST.names) for table in ledger.videos.tables()).cast(_MANIFEST)


def _masks(video_id: str) -> Sequence[store.MaskRow]:
    same = {
        "video_id": video_id, "frame_name": None, "object_id": 1, "height": 48, "width": 64, "counts": "PPYo1",
        "area": 10, "box": [0, 0, 1, 1], "score": 0.5, "stability": 0.5, "area_change": 0.0, "scene": 0,
    }  # fmt: skip
    return [
        same | {"frame_index": f, "pts_seconds": f / 25, "is_prompt": f == 0, "prompt_distance": f}
        for f in range(MASKS_OF_VIDEO)
    ]


def _long_masks(video_ids: Sequence[str], rng: np.random.Generator) -> Any:
    """A row for each frame of these videos, as an Arrow table."""
    count = len(video_ids) * FRAMES_OF_VIDEO
    frame = np.tile(np.arange(FRAMES_OF_VIDEO, dtype=np.int32), len(video_ids))
    texts = rng.integers(48, 112, (count, RLE_CHARACTERS), np.uint8).view(f"S{RLE_CHARACTERS}")[:, 0].astype(str)
    same = {name: np.full(count, value) for name, value in (("object_id", 1), ("height", 480), ("width", 854))}
    columns: dict[str, Any] = {
        "video_id": np.repeat(video_ids, FRAMES_OF_VIDEO), "frame_index": frame, "frame_name": [None] * count,
        "pts_seconds": frame / 29.97, "object_name": [None] * count, "counts": texts, **same,
        "area": rng.integers(5_000, 90_000, count), "box": rng.integers(0, 480, (count, 4)).tolist(),
        "score": rng.random(count), "stability": rng.random(count), "area_change": rng.random(count),
        "is_prompt": frame == 0, "prompt_distance": frame, "scene": np.zeros(count, np.int32),
    }  # fmt: skip
    return pa.table({n: pa.array(columns[n]).cast(store.MASKS.field(n).type) for n in store.MASKS.names}, store.MASKS)


def make(kind: str, output: str, manifest: str, count: int) -> None:
    """Make an output: a ledger of so many records with 20 videos each, or so many files of masks of 16 videos each."""
    write_ledger(output, COMMITS[kind](output, count))
    finish(output, manifest)


COMMITS: dict[str, Callable[[str, int], Iterator[Changes]]] = {
    "ledger": lambda output, count: commits_of_ledger(count, 20),
    "masks": lambda output, count: write_masks(output, count, 16),
    "shards": lambda output, count: write_shards(output, count, 16),
}


if __name__ == "__main__":
    make(*sys.argv[1:4], int(sys.argv[4]))
