"""One frame and its masks as tensors.

Shapes: H x W pixels of the frame, N objects.
"""

from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from jobs.inputs.images import VideoFrame
from jobs.outputs.stored_masks import VideoMasks
from stcn_core.frames import resize_labels_nearest


class Sample(TypedDict):
    """One frame and its objects."""

    image: Tensor  # uint8 (3, H, W), RGB
    masks: Tensor  # bool (N, H, W)
    boxes: Tensor  # float32 (N, 4): left, top, right, bottom in pixels, right and bottom exclusive
    labels: Tensor  # int64 (N): 1 for each object; which classes there are is for `transform` to say
    ids: Tensor  # int64 (N)
    names: list[str | None]  # N
    scores: Tensor  # float32 (N)
    video_id: str
    frame_index: int
    pts_seconds: float | None  # None for folders of images


def to_sample(frame: VideoFrame, masks: VideoMasks, keep_empty: bool) -> Sample:
    """A frame, which may be scaled down, and its masks. Raises UserError for one that is damaged.

    keep_empty: also objects of which nothing is to be seen.
    """
    height, width = frame.image.shape[:2]
    decoded = [(row, resize_labels_nearest(masks.decode(row), height, width)) for row in masks.rows]
    shown = [(row, mask) for row, mask in decoded if keep_empty or mask.any()]
    pixels = np.stack([np.zeros((height, width), bool), *(mask for _, mask in shown)])[1:]
    return {
        "image": torch.from_numpy(np.ascontiguousarray(frame.image.transpose(2, 0, 1))),
        "masks": torch.from_numpy(pixels),
        "boxes": torch.tensor([_box(mask) for _, mask in shown], dtype=torch.float32).reshape(-1, 4),
        "labels": torch.ones(len(shown), dtype=torch.int64),
        "ids": torch.tensor([row["object_id"] for row, _ in shown], dtype=torch.int64),
        "names": [row["object_name"] for row, _ in shown],
        "scores": torch.tensor([_number(row["score"]) for row, _ in shown], dtype=torch.float32),
        "video_id": masks.video_id,
        "frame_index": frame.index,
        "pts_seconds": masks.rows[0]["pts_seconds"],
    }


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom; zeros for an empty mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(rows) else (0, 0, 0, 0)


def _number(score: float | None) -> float:
    return float("nan") if score is None else score
