"""Numbers for categories and tracks, in order of first appearance."""

from typing import Any

import numpy as np

from jobs.exports.mask_batches import MaskBatch

UNNAMED = "object"


class Categories:
    """Names of categories and their numbers, from 0."""

    def __init__(self, names: list[str] | None = None) -> None:
        self.names = list(names or [])
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def number(self, name: str | None) -> int:
        """The number of a name; an unknown name gets the next number."""
        name = name or UNNAMED
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]

    def numbers(self, column: Any) -> np.ndarray:
        """The number of each row of a column of names, int64."""
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        table = np.array([self.number(name) for name in encoded.dictionary.to_pylist()], np.int64)
        return np.asarray(table[encoded.indices.to_numpy()])


class TrackIds:
    """Ids for the tracks of one video. A track is an object within one scene."""

    def __init__(self, latest: int = 0) -> None:
        """latest: the highest id in use."""
        self.latest = latest
        self._ids: dict[int, int] = {}

    def ids(self, batch: MaskBatch) -> np.ndarray:
        """The track id of each row, int64. Needs the columns object_id and scene."""
        keys = (batch.numbers("scene") << 32) + batch.numbers("object_id")
        distinct, of_row = np.unique(keys, return_inverse=True)
        return np.array([self._id(key) for key in distinct.tolist()], np.int64)[of_row]

    def _id(self, key: int) -> int:
        if key not in self._ids:
            self.latest += 1
            self._ids[key] = self.latest
        return self._ids[key]
