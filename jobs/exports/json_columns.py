"""JSON written column by column: Arrow joins the texts of many rows at once, and no row becomes a Python object."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.exports.mask_batches import MaskBatch


def joined(*parts: Any) -> Any:
    """Join texts row by row into an Arrow array.

    parts: strings, which are the same in each row, and columns: Arrow arrays of strings or numpy arrays of integers.
    """
    texts = [pc.cast(pa.array(part), pa.string()) if isinstance(part, np.ndarray) else part for part in parts]
    return pc.binary_join_element_wise(*texts, "")


def content(texts: Any) -> memoryview:
    """The rows of an Arrow array of strings, one after another, without a copy."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(texts.buffers()[2])[offsets[0] : offsets[-1]]


def quoted(texts: Sequence[str]) -> Any:
    """Texts as JSON strings, escaped."""
    return pa.array([json.dumps(text) for text in texts], pa.string())


def line(value: Any) -> bytes:
    """One element of a JSON list, with a comma after it."""
    return f"{json.dumps(value)},".encode()


def rle(batch: MaskBatch) -> Any:
    """The masks of a batch, which must be valid, as compressed RLE in COCO's JSON."""
    height, width = batch.size
    # Compressed RLE has the characters "0" to "o". Of these JSON escapes the backslash alone.
    counts = pc.replace_substring(batch.masks["counts"].combine_chunks(), "\\", "\\\\")
    return joined(f'{{"size":[{height},{width}],"counts":"', counts, '"}')


def boxes(batch: MaskBatch) -> Any:
    """The boxes of a batch, (x, y, width, height), as JSON arrays."""
    numbers = batch.masks["box"].combine_chunks().flatten().to_numpy().reshape(-1, 4)
    x, y, width, height = np.ascontiguousarray(numbers.T)
    return joined("[", x, ",", y, ",", width, ",", height, "]")
