"""Categories: the names of objects, numbered in the order in which they are met."""

from typing import Any

import numpy as np

UNNAMED = "object"


class Categories:
    """Names and their numbers, from 0."""

    def __init__(self, names: list[str] | None = None) -> None:
        self.names = list(names or [])
        self._numbers = {name: number for number, name in enumerate(self.names)}

    def number(self, name: str | None) -> int:
        """Of a name, a new one if it is new."""
        name = name or UNNAMED
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]

    def numbers(self, column: Any) -> np.ndarray:
        """Of each row of a column of names, int64."""
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        table = np.array([self.number(name) for name in encoded.dictionary.to_pylist()], np.int64)
        return np.asarray(table[encoded.indices.to_numpy()])
