"""Moves of masks between files: which file of masks holds, since then, what another one held."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Moves = dict[str, str]  # name in masks/ -> name of the file that took over its masks; a name is in no chain twice


def chain(first: Moves, later: Moves) -> Moves:
    """The moves that come to the same as both, one after the other."""
    return {old: later.get(new, new) for old, new in first.items()} | later


def move_names(column: Any, moves: Moves) -> Any:
    """A dictionary-encoded column of names, with each name that was moved replaced. column: Arrow, in one chunk.

    Only the dictionary is looked up: a million rows share some ten thousand names.
    """
    names = column.dictionary
    places = pc.index_in(names, pa.array(moves, names.type))
    if places.null_count == len(places):
        return column
    new = pa.array(moves.values(), names.type).take(places)
    encoded = pc.coalesce(new, names).dictionary_encode()  # files that were merged share one name
    return pa.DictionaryArray.from_arrays(encoded.indices.take(column.indices), encoded.dictionary)
