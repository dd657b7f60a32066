"""The size at which the network sees a clip's frames: enlarged where a prompted object has too few positions.

Keys and values have one position for 16 x 16 pixels. A small network loses an object that covers one or two of them.
The published networks see frames as they are, or scaled down.
"""

import math
from collections.abc import Mapping

import numpy as np

from stcn_core.frames import scaled_size

MAX_ENLARGEMENT = 2.0  # times the sides, which is four times the work
MAX_ENLARGED_SHORT_SIDE = 480  # pixels: frames are not enlarged beyond it, nor beyond `short_side`
PIXELS_PER_POSITION = 16 * 16  # pixels


def input_size(
    frame_size: tuple[int, int],
    prompts: Mapping[int, np.ndarray],
    short_side: int | None,
    *,
    object_positions: int | None,
) -> tuple[int, int]:
    """(height, width) for frames of `frame_size`, before padding: `scaled_size`, or more for the smallest object.

    prompts: label maps of any size, by frame. object_positions: as in ModelConfig. Frames are enlarged until the
    smallest object covers as many, at most `MAX_ENLARGEMENT` times, and to a short side of at most
    `MAX_ENLARGED_SHORT_SIDE`.
    """
    height, width = scaled_size(*frame_size, short_side)
    share = smallest_object_share(prompts) if object_positions else None
    if not object_positions or share is None:
        return height, width
    wanted = math.sqrt(object_positions * PIXELS_PER_POSITION / (share * height * width))
    longest = min(MAX_ENLARGED_SHORT_SIDE, short_side or MAX_ENLARGED_SHORT_SIDE)
    times = max(1.0, min(wanted, MAX_ENLARGEMENT, longest / min(height, width)))
    return round(height * times), round(width * times)


def smallest_object_share(prompts: Mapping[int, np.ndarray]) -> float | None:
    """Share of the frame that the smallest object covers in its largest prompt; None where nothing is prompted."""
    largest: dict[int, float] = {}
    for labels in prompts.values():
        ids, pixels = np.unique(labels, return_counts=True)
        for object_id, count in zip(ids.tolist(), pixels.tolist(), strict=True):
            if object_id:
                largest[object_id] = max(largest.get(object_id, 0.0), count / labels.size)
    return min(largest.values(), default=None)
