"""Draw masks over their videos, to look at."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from jobs import storage, store
from jobs.export import file_name, label_maps
from jobs.palette import voc_palette
from jobs.records import VideoRow
from jobs.status import read_status
from jobs.store import MaskRow
from jobs.video import Video, VideoWriter
from stcn_core.metrics import boundary

OPACITY = 0.5


def overlay_output(output: str, dest: Path) -> Iterator[Path]:
    """Write an MP4 for every video that is done; yields their paths."""
    rows = {row.video_id: row for row in read_status(output) if row.status == "done"}
    for video_id, masks in store.masks_by_video(output):
        if video_id in rows:
            path = dest / f"{file_name(video_id)}.mp4"
            write_overlay(rows[video_id], masks, path)
            yield path


def write_overlay(row: VideoRow, masks: list[MaskRow], path: Path) -> None:
    """Draw one video's masks over its frames."""
    labels_of = {index: labels for index, _, labels in label_maps(masks)}
    with TemporaryDirectory(prefix="stcn-") as folder:
        local = storage.download(row.video, Path(folder))
        with Video(local, end=max(labels_of) + 1) as video, VideoWriter(path, video.frames_per_second) as writer:
            for frame in video:
                labels = labels_of.get(frame.index)
                writer.write(frame.image if labels is None else blend(frame.image, labels))


def blend(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tint an RGB image (H, W, 3) with the colour of each pixel's object, and draw outlines in white."""
    colours = voc_palette()[labels % 256]
    tinted = (image * (1 - OPACITY) + colours * OPACITY).astype(np.uint8)
    out = np.where(labels[..., None] > 0, tinted, image)
    for object_id in np.unique(labels[labels > 0]):
        out[boundary(labels == object_id)] = 255
    return out
