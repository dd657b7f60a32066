"""How large the network sees a clip's frames: larger than they are, where a prompted object has too few positions.

Keys and values have one position for 16 x 16 pixels. What covers one or two of them is told by its outline alone, and a
small network loses it. The published networks see frames as they are, or scaled down.
"""

import math
from collections.abc import Mapping

import numpy as np

from stcn_core.frames import scaled_size

MAX_ENLARGEMENT = 2.0  # times the sides, which is four times the work
MAX_ENLARGED_SHORT_SIDE = 480  # pixels of the shorter side: frames are not enlarged beyond, nor beyond `short_side`
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
    smallest object covers as many, but at most `MOST` times, and to no longer short side than `LONGEST`.
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
    """Of the frame, by the object that is smallest in its largest prompt; None where nothing is prompted."""
    largest: dict[int, float] = {}
    for labels in prompts.values():
        ids, pixels = np.unique(labels, return_counts=True)
        for object_id, count in zip(ids.tolist(), pixels.tolist(), strict=True):
            if object_id:
                largest[object_id] = max(largest.get(object_id, 0.0), count / labels.size)
    return min(largest.values(), default=None)
