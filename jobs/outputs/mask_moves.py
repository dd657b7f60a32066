"""Moves of masks between files: which file of masks holds, since then, what another one held.

A file is merged into another one, or split: its videos lie in several files from then on, each from a video on.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Parts = Sequence[Sequence[str]]  # lowest video id, and name of the file with the videos from there on; in order
Moves = dict[str, Parts]  # by the name of the file that held the masks; a name is moved once, as it is used once


def to_one_file(names: Iterable[str], new: str) -> Moves:
    """The moves of all masks of some files to another one."""
    return {name: [["", new]] for name in names}


def file_of(parts: Parts, video_id: str) -> str:
    """The file that holds a video, of a file that was moved."""
    return parts[max(0, bisect_right(parts, video_id, key=itemgetter(0)) - 1)][1]


def chain(first: Moves, later: Moves) -> Moves:
    """The moves that come to the same as both, one after the other."""
    return {old: _moved(parts, later) for old, parts in first.items()} | later


def _moved(parts: Parts, later: Moves) -> Parts:
    """What becomes of parts; neighbours in one file are one part. A part's own lowest id holds for its first part."""
    moved: list[Sequence[str]] = []
    for start, name in parts:
        (_, first), *others = later.get(name, [["", name]])
        for part in ([start, first], *others):
            if not moved or moved[-1][1] != part[1]:
                moved.append(part)
    return moved


def move_names(column: Any, video_ids: Any, moves: Moves) -> Any:
    """The column `masks_file` of rows after moves. column: dictionary-encoded, in one chunk. video_ids: of its rows.

    Where files were merged, only the dictionary is looked up: a million rows share some ten thousand names.
    """
    moved = pc.is_in(column.dictionary, pa.array(moves, pa.string()))
    if not pc.any(moved).as_py():
        return column
    dictionary, codes = column.dictionary.to_pylist(), np.array(pc.fill_null(column.indices, -1))
    for code in np.flatnonzero(moved.to_numpy(zero_copy_only=False)).tolist():
        parts = moves[dictionary[code]]
        dictionary[code] = parts[0][1]
        if len(parts) > 1:
            rows = np.flatnonzero(codes == code)
            new = [file_of(parts, video_id) for video_id in video_ids.take(pa.array(rows)).to_pylist()]
            known = {file: len(dictionary) + place for place, file in enumerate(dict.fromkeys(new))}
            dictionary += known
            codes[rows] = [known[file] for file in new]
    encoded = pa.array(dictionary, pa.string()).dictionary_encode()  # files that were merged share one name
    indices = encoded.indices.take(pa.array(codes, pa.int32(), mask=codes < 0))
    return pa.DictionaryArray.from_arrays(indices, encoded.dictionary)
