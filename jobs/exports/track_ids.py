"""Tracks: an object of a video within one scene."""

import numpy as np

from jobs.exports.walk import Batch


class TrackIds:
    """Ids of the tracks of one video, in the order in which they are met."""

    def __init__(self, latest: int = 0) -> None:
        """latest: the highest id that is in use."""
        self.latest = latest
        self._ids: dict[int, int] = {}

    def of(self, batch: Batch) -> np.ndarray:
        """The track of each row, int64. Needs the columns object_id and scene."""
        keys = (batch.numbers("scene") << 32) + batch.numbers("object_id")
        distinct, of_row = np.unique(keys, return_inverse=True)
        return np.array([self._id(key) for key in distinct.tolist()], np.int64)[of_row]

    def _id(self, key: int) -> int:
        if key not in self._ids:
            self.latest += 1
            self._ids[key] = self.latest
        return self._ids[key]
