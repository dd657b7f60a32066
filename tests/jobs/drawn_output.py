"""An output whose masks are the true ones of the drawn archive: what a run with a perfect network would write."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from jobs.inputs.videos.video import Video
from jobs.io import storage
from jobs.outputs import rle, store
from jobs.planning.config import SegmentConfig
from jobs.records import VideoRow

FRAMES = {"a": 9, "b": 12, "c": 7, "e": 10}  # of the archive's videos that are whole
PER_FILE = 3  # videos


def true_labels(archive: Path, video_id: str) -> list[np.ndarray]:
    """Label maps of all frames."""
    maps = []
    for path in sorted((archive / "truth" / video_id).iterdir()):
        with Image.open(path) as image:
            maps.append(np.asarray(image).astype(np.int32))
    return maps


def mask_rows(video_id: str, labels: list[np.ndarray], names: list[str] | None = None) -> list[store.MaskRow]:
    """A row for each frame and object, as the schema wants it."""
    ids = list(range(1, max(int(label_map.max()) for label_map in labels) + 1))
    return [
        dict(
            video_id=video_id, frame_index=t, frame_name=names[t] if names else None,
            pts_seconds=None if names else t / 24, object_id=object_id, object_name=f"object {object_id}",
            height=label_map.shape[0], width=label_map.shape[1], counts=mask.counts, area=mask.area, box=mask.box,
            score=1 / (1 + t), stability=1.0, area_change=0.0, is_prompt=t == 0, prompt_distance=t, scene=0,
        )
        for t, label_map in enumerate(labels)
        for object_id, mask in zip(ids, rle.encode(label_map, ids), strict=True)
    ]  # fmt: skip


def write_output(archive: Path, output: str, place: str) -> None:
    """Masks of the archive's videos, and of one more as a folder of images, which is written below `place`.

    place: where videos/ of the archive is.
    """
    rows = {video_id: mask_rows(video_id, true_labels(archive, video_id)) for video_id in FRAMES}
    videos = {video_id: f"{place}/videos/{video_id}.mp4" for video_id in FRAMES}
    rows["images"] = mask_rows("images", true_labels(archive, "a"), write_images(archive, f"{place}/images"))
    videos["images"] = f"{place}/images"
    ids = sorted(rows)
    for start in range(0, len(ids), PER_FILE):
        write_masks(output, f"{start}", [row for name in ids[start : start + PER_FILE] for row in rows[name]])
    write_record(
        output, [VideoRow(video_id=name, work_id="w", status="done", video=videos[name], prompts="p") for name in ids]
    )


def write_images(archive: Path, place: str) -> list[str]:
    """Video a as PNGs; returns their names."""
    with Video(archive / "videos/a.mp4") as video:
        for frame in video:
            content = io.BytesIO()
            Image.fromarray(frame.image).save(content, "PNG")
            storage.write(f"{place}/IMG_{frame.index}.png", content.getvalue())
    return [f"IMG_{index}" for index in range(FRAMES["a"])]


def write_masks(output: str, name: str, rows: list[store.MaskRow], row_group: int = 7) -> None:
    """One file of masks, whose row groups are so small that videos and frames lie across them."""
    content = io.BytesIO()
    pq.write_table(store.masks_table(rows), content, row_group_size=row_group)
    storage.write(f"{output}/masks/{name}.parquet", content.getvalue())


def write_record(output: str, videos: list[VideoRow], **options: Any) -> None:
    """The table of videos, and the record of a run with these options."""
    store.write_videos(f"{output}/{store.VIDEOS_FILE}", videos)
    config = SegmentConfig(**{"manifest": "m.csv", "output": output, **options}).as_dict()
    storage.write(f"{output}/{store.RUN_FILE}", json.dumps({"config": config}).encode())
