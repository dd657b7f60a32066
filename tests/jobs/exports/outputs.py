"""Small outputs with known masks, for the tests of exports."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jobs.io import storage
from jobs.outputs import rle, store
from jobs.planning.config import SegmentConfig
from jobs.records import VideoRow

HEIGHT, WIDTH = 40, 50


def blobs(seed: int, objects: int = 2, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A label map (H, W) of ragged objects with holes and several parts; object 2 is often absent."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    labels = np.zeros((height, width), np.int32)
    for object_id in range(1, objects + 1):
        if object_id == 2 and seed % 3 == 0:
            continue
        for _ in range(2):
            distance = np.hypot(y - random.uniform(0, height), x - random.uniform(0, width)) + 2 * np.sin(y + x)
            labels[(distance < 9) & (distance > 3 * random.integers(0, 2))] = object_id
    return labels


def rows(
    video_id: str, labels: Sequence[np.ndarray], ids: Sequence[int] = (1, 2), start: int = 0, **given: Any
) -> list[store.MaskRow]:
    """Rows as a run writes them. given: columns with a value for all rows; frame_name with one for each frame."""
    names = given.pop("frame_name", [None] * len(labels))
    return [
        dict(
            video_id=video_id, frame_index=start + t, frame_name=names[t], pts_seconds=t / 25, object_id=object_id,
            height=of_frame.shape[0], width=of_frame.shape[1], counts=mask.counts, area=mask.area, box=mask.box,
            score=0.5, stability=0.75, area_change=0.0, is_prompt=t == 0, prompt_distance=t, scene=0,
        )
        | given
        for t, of_frame in enumerate(labels)
        for object_id, mask in zip(ids, rle.encode(of_frame, ids), strict=True)
    ]  # fmt: skip


def write(output: Path, *files: list[store.MaskRow], videos: Sequence[VideoRow] = (), **options: Any) -> str:
    """Write an output with these files of masks; returns its path."""
    (output / "masks").mkdir(parents=True)
    for number, of_file in enumerate(files):
        with store.MaskWriter(output / f"masks/{number:08d}-{number:016x}.parquet") as writer:
            writer.add(store.masks_table(of_file))
    store.write_videos(f"{output}/{store.VIDEOS_FILE}", videos)
    config = SegmentConfig(**{"manifest": "m.csv", "output": str(output), **options}).as_dict()
    storage.write(f"{output}/{store.RUN_FILE}", json.dumps({"config": config}).encode())
    return str(output)


def tree(folder: Path) -> dict[str, bytes]:
    """The content of all files but hidden ones, by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {name: path.read_bytes() for path in files if not (name := str(path.relative_to(folder))).startswith(".")}
