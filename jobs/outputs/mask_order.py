"""The order of the rows of a mask file: by video, frame and object, each once."""

import numpy as np
from numpy.typing import NDArray

KEY = ["video_id", "frame_index", "object_id"]
Ints = NDArray[np.int64]


def first_disorder(video: Ints, frame: Ints, object_id: Ints) -> int | None:
    """The first row that does not come after the row before it; None if all ascend. video: numbers of the videos."""
    steps = np.diff(video), np.diff(frame), np.diff(object_id)
    is_ascending = (steps[0] > 0) | ((steps[0] == 0) & ((steps[1] > 0) | ((steps[1] == 0) & (steps[2] > 0))))
    return None if is_ascending.all() else int(np.argmin(is_ascending)) + 1
