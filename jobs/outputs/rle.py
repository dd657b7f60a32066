"""COCO's compressed run-length encoding of masks: written by pycocotools, read from anybody."""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco

MAX_PIXELS = 2**30  # of a mask that is decoded; frames have 2**26 at most, or as many as a run was allowed
MAX_POINTS = 100_000  # of a mask's polygons; an outline of a 4K frame that follows each pixel has 20,000
MAX_OUTLINE = 1_000_000  # pixels: 500 times across a frame of 1080p
MORE = 32  # of a digit that is not a number's last; its lower bits are the number's
AT_ONCE = 64  # masks that are checked together: what that takes stays in a CPU's cache
MAX_DIGITS = 7  # 35 bits: no run of a legal mask needs more


@dataclass(frozen=True)
class EncodedMask:
    """One mask: COCO's compressed counts, area in pixels, and box (x, y, width, height)."""

    counts: str
    area: int
    box: tuple[int, int, int, int]


def encode(labels: np.ndarray, object_ids: Sequence[int]) -> list[EncodedMask]:
    """The mask of each object in a label map (H, W), best in Fortran order: RLE runs down columns.

    The map's runs are found once for all objects, and the library only has to compress them.
    """
    if not object_ids:
        return []
    height, width = labels.shape
    pixels = labels.ravel(order="F")
    starts = np.flatnonzero(np.concatenate(([True], pixels[1:] != pixels[:-1])))
    ends = np.append(starts[1:], pixels.size)
    values = pixels[starts]
    counts = [_counts(starts[values == i], ends[values == i], pixels.size) for i in object_ids]
    runs = coco.frPyObjects([{"counts": of_one, "size": (height, width)} for of_one in counts], height, width)
    areas, boxes = coco.area(runs), coco.toBbox(runs)
    return [
        EncodedMask(run["counts"].decode("ascii"), int(area), (int(box[0]), int(box[1]), int(box[2]), int(box[3])))
        for run, area, box in zip(runs, areas, boxes, strict=True)
    ]


def _counts(starts: np.ndarray, ends: np.ndarray, pixels: int) -> np.ndarray:
    """Lengths of zeros, ones, zeros, ... from where the ones start and end; no zeros are said of at the end."""
    edges = np.stack((starts, ends), axis=1).ravel()
    lengths = np.diff(edges, prepend=0, append=pixels)
    return lengths if lengths[-1] or lengths.size == 1 else lengths[:-1]


def decode(counts: str, height: int, width: int, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The mask, boolean (H, W), in Fortran order. Raises ValueError for what is no RLE of a mask of that size.

    Not by pycocotools: it trusts what it is given. Runs that end early leave the rest of the mask as the memory
    was, a text that ends within a number is read past its end, and a size of 10^9 x 10^9 is a segmentation
    fault (2.0.11). It is slower, too: 2,000 masks/s at 480p, this 5,900.
    """
    _check_size(height, width, max_pixels)
    return _from_lengths(_run_lengths(counts, height * width), height, width)


def decode_runs(counts: Sequence[object], height: int, width: int, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The same of COCO's uncompressed RLE: lengths of zeros, ones, zeros, ... as a list."""
    _check_size(height, width, max_pixels)
    pixels = height * width
    if not 0 < len(counts) <= 2 * pixels + MAX_DIGITS:
        raise ValueError(f"it has {len(counts):,} runs, and its size {width}x{height} is {pixels} pixels")
    for length in counts:
        if type(length) is not int or not 0 <= length <= pixels:
            raise ValueError(f"it has a run of {str(length)[:40]!a} pixels, and its size {width}x{height} is {pixels}")
    return _from_lengths(np.array(counts, np.int64), height, width)


def fill(polygons: Sequence[object], height: int, width: int, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The mask, boolean (H, W), of all that lies in any of COCO's polygons [x, y, x, y, ...], in pixels.

    Raises ValueError for what are no polygons of a frame of that size. pycocotools fills them, and its memory grows
    with their outlines: 5 points a pixel, 70 bytes.
    """
    _check_size(height, width, max_pixels)
    checked, points, outline = [], 0, 0.0
    for polygon in polygons:
        points += len(polygon) // 2 if isinstance(polygon, list) else 0
        if points > MAX_POINTS:
            raise ValueError(f"its polygons have {points:,} points or more; legal: up to {MAX_POINTS:,}")
        checked.append(_checked_polygon(polygon, height, width))
        outline += _outline(checked[-1])
        if outline > MAX_OUTLINE:
            raise ValueError(f"its polygons' outlines are {outline:,.0f} pixels long; legal: up to {MAX_OUTLINE:,}")
    if not checked:
        raise ValueError("it has no polygon")
    merged = coco.merge(coco.frPyObjects(checked, height, width))
    return decode(merged["counts"].decode("ascii"), height, width, max_pixels=max_pixels)


def _checked_polygon(polygon: object, height: int, width: int) -> list[float]:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"it has a polygon that is no list of x, y, x, y, ... of 3 points or more: {_start(polygon)}")
    for values, side in ((polygon[::2], width), (polygon[1::2], height)):
        for value in values:  # any number of digits, NaN and infinity fail to compare as asked, without being converted
            if type(value) not in (int, float) or not -side <= value <= 2 * side:
                raise ValueError(
                    f"a polygon has the coordinate {_start(value)}; legal: numbers within the {width}x{height} frame, "
                    "or out of it by its size at most"
                )
    return [float(value) for value in polygon]


def _outline(polygon: Sequence[float]) -> float:
    """Pixels that a polygon's lines pass, about."""
    points = np.array(polygon).reshape(-1, 2)
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


def _start(value: object) -> str:
    return ascii(reprlib.repr(value))[1:-1][:60]


def _check_size(height: int, width: int, max_pixels: int) -> None:
    if height < 1 or width < 1 or height * width > max_pixels:
        raise ValueError(f"its size is {width}x{height}; legal: 1x1 to {max_pixels:,} pixels in all")


def _from_lengths(lengths: np.ndarray, height: int, width: int) -> np.ndarray:
    pixels = height * width
    for length in (int(lengths.min()), int(lengths.max())):
        if not 0 <= length <= pixels:
            raise ValueError(f"it has a run of {length} pixels, and its size {width}x{height} is {pixels}")
    if (total := int(lengths.sum())) != pixels:
        raise ValueError(f"its runs are {total} pixels together, and its size {width}x{height} is {pixels}")
    return np.repeat(np.arange(lengths.size) % 2 == 1, lengths).reshape(width, height).T


def _run_lengths(counts: str, pixels: int) -> np.ndarray:
    """COCO's text as run lengths, int64: numbers in groups of 5 bits, from the fourth on less the one two before."""
    if not 0 < len(counts) <= 2 * pixels + MAX_DIGITS or not counts.isascii():
        raise ValueError(f"its counts are no RLE of {pixels} pixels: {_excerpt(counts)}")
    digits = np.frombuffer(counts.encode(), np.uint8).astype(np.int64) - ord("0")
    ends = np.flatnonzero(digits < MORE)
    if digits.min() < 0 or digits.max() >= 2 * MORE or ends.size == 0 or ends[-1] != digits.size - 1:
        raise ValueError(f"its counts are not as COCO's compressed RLE is, characters 0 to o: {_excerpt(counts)}")
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > MAX_DIGITS:
        raise ValueError(f"its counts hold a number of {lengths.max()} digits; legal: up to {MAX_DIGITS}")
    place = 5 * (np.arange(digits.size) - np.repeat(starts, lengths))
    runs = np.add.reduceat((digits % MORE) << place, starts)
    runs -= (digits[ends] >= MORE // 2).astype(np.int64) << (5 * lengths)  # the last digit's highest bit is the sign
    runs[1::2], runs[2::2] = np.cumsum(runs[1::2]), np.cumsum(runs[2::2])
    return runs


def areas(texts: np.ndarray, starts: np.ndarray, pixels: np.ndarray) -> np.ndarray | None:
    """Pixels of many masks at once, int64; None if one is no RLE of so many pixels: `decode` says why.

    texts: their counts one after another, uint8, N of them beginning at `starts`; pixels: of each. What is only passed
    on need not be decoded to be checked.
    """
    found = [np.zeros(0, np.int64)]
    for first in range(0, starts.size, AT_ONCE):
        some = slice(first, first + AT_ONCE)
        stop = starts[some.stop] if some.stop < starts.size else texts.size
        ones = _areas(texts[starts[first] : stop], starts[some] - starts[first], pixels[some])
        if ones is None:
            return None
        found.append(ones)
    return np.concatenate(found)


def _areas(texts: np.ndarray, starts: np.ndarray, pixels: np.ndarray) -> np.ndarray | None:
    stops = np.append(starts[1:], texts.size)
    sizes = stops - starts
    if sizes.min() < 1 or pixels.max() > MAX_PIXELS or (sizes > 2 * pixels + MAX_DIGITS).any():
        return None
    digits = texts - np.uint8(ord("0"))  # what lies below "0" wraps to over 200
    if digits.max() >= 2 * MORE or (digits[stops - 1] >= MORE).any():
        return None
    ends = np.flatnonzero(digits < MORE)
    lengths = np.diff(ends, prepend=-1)
    if lengths.max() > MAX_DIGITS:
        return None
    numbers = (digits[ends].astype(np.int64) ^ (MORE // 2)) - MORE // 2  # the last digit's highest bit is the sign
    for place in range(1, int(lengths.max())):
        longer = np.flatnonzero(lengths > place)
        numbers[longer] = numbers[longer] * MORE + digits[ends[longer] - place] % MORE
    runs, firsts = _runs(numbers, np.searchsorted(ends, starts))
    zeros, ones = (np.add.reduceat(of_one_kind, firsts) for of_one_kind in runs)
    return ones if runs.min() >= 0 and np.array_equal(zeros + ones, pixels) else None


def _runs(numbers: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run lengths (2, P) of many masks, zeros and ones in pairs, and where each mask's pairs begin.

    numbers: as stored, all masks' one after another, N masks' beginning at `starts`.
    """
    counts = np.diff(starts, append=numbers.size)
    pairs = (counts + 1) // 2
    firsts = np.cumsum(pairs) - pairs
    padded = np.zeros(2 * int(pairs.sum()), np.int64)
    padded[np.arange(numbers.size) + np.repeat(2 * firsts - starts, counts)] = numbers
    chains = padded.reshape(-1, 2).T.copy()
    first_zeros = chains[0, firsts]
    chains[0, firsts] = 0  # the second run of zeros is not stored as a difference from the first
    totals = np.cumsum(chains, axis=1)
    runs = totals - np.repeat(totals[:, firsts] - chains[:, firsts], pairs, axis=1)
    runs[0, firsts] = first_zeros
    runs[1, (firsts + pairs - 1)[counts % 2 == 1]] = 0
    return runs, firsts


def _excerpt(counts: str) -> str:
    return repr(counts if len(counts) <= 40 else f"{counts[:40]}...")
