"""A frame and its masks as tensors.

Shapes: H x W pixels of the frame, N objects.
"""

from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from jobs.inputs.videos.images import VideoFrame
from jobs.outputs.stored_masks import VideoMasks
from stcn_core.frames import resize_labels_nearest


class Sample(TypedDict):
    """A frame and its objects."""

    image: Tensor  # uint8 (3, H, W), RGB
    masks: Tensor  # bool (N, H, W)
    boxes: Tensor  # float32 (N, 4): left, top, right, bottom in pixels, right and bottom exclusive
    labels: Tensor  # int64 (N): 1 for each object; a `transform` can assign classes
    ids: Tensor  # int64 (N)
    names: list[str | None]  # N
    scores: Tensor  # float32 (N)
    video_id: str
    frame_index: int
    pts_seconds: float | None  # None for folders of images


def to_sample(frame: VideoFrame, masks: VideoMasks, keep_empty: bool) -> Sample:
    """Build the tensors of a frame, which may be scaled down, and of its masks.

    keep_empty: include objects without a visible pixel. Raises UserError for a damaged mask.
    """
    height, width = frame.image.shape[:2]
    decoded = [(row, resize_labels_nearest(masks.decode(row), height, width)) for row in masks.rows]
    objects = [(row, mask) for row, mask in decoded if keep_empty or mask.any()]
    pixels = np.stack([np.zeros((height, width), bool), *(mask for _, mask in objects)])[1:]
    return {
        "image": torch.from_numpy(np.ascontiguousarray(frame.image.transpose(2, 0, 1))),
        "masks": torch.from_numpy(pixels),
        "boxes": torch.tensor([_box(mask) for _, mask in objects], dtype=torch.float32).reshape(-1, 4),
        "labels": torch.ones(len(objects), dtype=torch.int64),
        "ids": torch.tensor([row["object_id"] for row, _ in objects], dtype=torch.int64),
        "names": [row["object_name"] for row, _ in objects],
        "scores": torch.tensor([_or_nan(row["score"]) for row, _ in objects], dtype=torch.float32),
        "video_id": masks.video_id,
        "frame_index": frame.index,
        "pts_seconds": masks.rows[0]["pts_seconds"],
    }


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom, the last two exclusive; zeros for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(rows) else (0, 0, 0, 0)


def _or_nan(score: float | None) -> float:
    return float("nan") if score is None else score
