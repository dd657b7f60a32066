"""COCO's compressed run-length encoding of masks: written through pycocotools, read from untrusted files."""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco

MAX_PIXELS = 2**30  # of a decoded mask; frames have at most 2**26, or as many as --max-pixels allowed
MAX_POINTS = 100_000  # of a mask's polygons; an outline that follows every pixel of a 4K frame has 20,000
MAX_OUTLINE = 1_000_000  # pixels: 500 times across a frame of 1080p
CONTINUES = 32  # this bit of a digit says that the number goes on; the lower five bits are its value
MASKS_AT_ONCE = 64  # checked together; their working set stays in a CPU's cache
MAX_DIGITS = 7  # 35 bits, more than any run of a legal mask needs


@dataclass(frozen=True)
class EncodedMask:
    """One mask: COCO's compressed counts, area in pixels, and box (x, y, width, height)."""

    counts: str
    area: int
    box: tuple[int, int, int, int]


def encode(labels: np.ndarray, object_ids: Sequence[int]) -> list[EncodedMask]:
    """Encode the mask of each object in a label map (H, W), ideally in Fortran order: RLE runs down columns.

    The runs of the map are found once for all objects; pycocotools only compresses them.
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
    """Lengths of runs of zeros, ones, zeros, ... A trailing run of zeros is omitted."""
    edges = np.stack((starts, ends), axis=1).ravel()
    lengths = np.diff(edges, prepend=0, append=pixels)
    return lengths if lengths[-1] or lengths.size == 1 else lengths[:-1]


def decode(counts: str, height: int, width: int, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode counts to a mask: boolean (H, W), in Fortran order. Raises ValueError for invalid RLE of that size.

    pycocotools (2.0.11) trusts its input: runs that end early leave uninitialised memory in the mask, text that
    ends within a number is read past its end, and a size of 10^9 x 10^9 is a segmentation fault. It is also
    slower: 2,000 masks/s at 480p against 5,900 here.
    """
    _check_size(height, width, max_pixels)
    return _from_lengths(_run_lengths(counts, height * width), height, width)


def decode_runs(counts: Sequence[object], height: int, width: int, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Decode COCO's uncompressed RLE: a list of lengths of runs of zeros, ones, zeros, ... Otherwise as `decode`."""
    _check_size(height, width, max_pixels)
    pixels = height * width
    if not 0 < len(counts) <= 2 * pixels + MAX_DIGITS:
        raise ValueError(f"it has {len(counts):,} runs, and its size {width}x{height} is {pixels} pixels")
    for length in counts:
        if type(length) is not int or not 0 <= length <= pixels:
            raise ValueError(f"it has a run of {str(length)[:40]!a} pixels, and its size {width}x{height} is {pixels}")
    return _from_lengths(np.array(counts, np.int64), height, width)


def fill(polygons: Sequence[object], height: int, width: int, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Fill COCO polygons [x, y, x, y, ...], in pixels, to one mask: boolean (H, W).

    Raises ValueError for polygons that are malformed, outside the frame or too long: pycocotools, which fills them,
    takes 70 bytes for each pixel of outline.
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
        for value in values:  # NaN, infinity and integers of any length fail this comparison
            if type(value) not in (int, float) or not -side <= value <= 2 * side:
                raise ValueError(
                    f"a polygon has the coordinate {_start(value)}; legal: numbers within the {width}x{height} frame, "
                    "or out of it by its size at most"
                )
    return [float(value) for value in polygon]


def _outline(polygon: Sequence[float]) -> float:
    """Approximate length of a polygon's outline in pixels."""
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
    """Parse COCO's text to run lengths, int64: base-32 numbers, from the fourth on less the one two before."""
    if not 0 < len(counts) <= 2 * pixels + MAX_DIGITS or not counts.isascii():
        raise ValueError(f"its counts are no RLE of {pixels} pixels: {_excerpt(counts)}")
    digits = np.frombuffer(counts.encode(), np.uint8).astype(np.int64) - ord("0")
    ends = np.flatnonzero(digits < CONTINUES)
    if digits.min() < 0 or digits.max() >= 2 * CONTINUES or ends.size == 0 or ends[-1] != digits.size - 1:
        raise ValueError(f"its counts are not as COCO's compressed RLE is, characters 0 to o: {_excerpt(counts)}")
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > MAX_DIGITS:
        raise ValueError(f"its counts hold a number of {lengths.max()} digits; legal: up to {MAX_DIGITS}")
    place = 5 * (np.arange(digits.size) - np.repeat(starts, lengths))
    runs = np.add.reduceat((digits % CONTINUES) << place, starts)
    runs -= (digits[ends] >= CONTINUES // 2).astype(np.int64) << (
        5 * lengths
    )  # the last digit's highest bit is the sign
    runs[1::2], runs[2::2] = np.cumsum(runs[1::2]), np.cumsum(runs[2::2])
    return runs


def areas(texts: np.ndarray, starts: np.ndarray, pixels: np.ndarray) -> np.ndarray | None:
    """Areas of N masks at once, int64 (N); None if any is invalid RLE, for which `decode` gives the reason.

    texts: the concatenated counts, uint8. starts (N): where each begins. pixels (N): height times width of each. Masks
    that are only passed on are validated this way without being decoded.
    """
    found = [np.zeros(0, np.int64)]
    for first in range(0, starts.size, MASKS_AT_ONCE):
        some = slice(first, first + MASKS_AT_ONCE)
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
    if digits.max() >= 2 * CONTINUES or (digits[stops - 1] >= CONTINUES).any():
        return None
    ends = np.flatnonzero(digits < CONTINUES)
    lengths = np.diff(ends, prepend=-1)
    if lengths.max() > MAX_DIGITS:
        return None
    numbers = (
        digits[ends].astype(np.int64) ^ (CONTINUES // 2)
    ) - CONTINUES // 2  # the last digit's highest bit is the sign
    for place in range(1, int(lengths.max())):
        longer = np.flatnonzero(lengths > place)
        numbers[longer] = numbers[longer] * CONTINUES + digits[ends[longer] - place] % CONTINUES
    runs, firsts = _runs(numbers, np.searchsorted(ends, starts))
    zeros, ones = (np.add.reduceat(of_one_kind, firsts) for of_one_kind in runs)
    return ones if runs.min() >= 0 and np.array_equal(zeros + ones, pixels) else None


def _runs(numbers: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run lengths (2, P) of N masks as pairs of zeros and ones, and where each mask's pairs begin (N).

    numbers: the stored numbers of all masks, concatenated; starts (N): where each mask's begin.
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
