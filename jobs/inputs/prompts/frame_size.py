"""Masks have their frame's size. A mask of nearly that size is resized, since real masks can be a pixel off."""

import numpy as np

from jobs.errors import PromptError
from stcn_core.frames import resize_labels_nearest

MAX_RESIZE = 0.02  # of a side; a larger difference is another picture, or a thumbnail


def is_near(height: int, width: int, size: tuple[int, int]) -> bool:
    """Whether a size is another one, (height, width), up to what is mended."""
    return max(abs(height / size[0] - 1), abs(width / size[1] - 1)) <= MAX_RESIZE


def check_size(height: int, width: int, size: tuple[int, int] | None) -> None:
    """Check a mask's size before it is decoded. size: of its frame, (height, width). Raises PromptError."""
    if size is not None and not is_near(height, width, size):
        raise PromptError(
            f"a mask is {width}x{height}, its frame {size[1]}x{size[0]}; masks must have the frame's size (up to "
            f"{MAX_RESIZE:.0%} is mended): draw or export them at the video's own size"
        )


def fit(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a label map to its frame's size. Raises PromptError if the sizes differ by more than MAX_RESIZE."""
    check_size(labels.shape[0], labels.shape[1], (height, width))
    return resize_labels_nearest(labels, height, width)
