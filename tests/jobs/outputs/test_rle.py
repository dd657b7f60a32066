"""Encoded masks decode to themselves, and their area and box are those of their pixels."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from jobs.outputs import rle


@given(
    st.integers(0, 10_000),
    st.integers(1, 40),
    st.integers(1, 40),
    st.lists(st.integers(1, 70_000), max_size=4, unique=True),
)
@settings(max_examples=100, deadline=None)
def test_round_trip(seed: int, height: int, width: int, ids: list[int]) -> None:
    labels = np.random.default_rng(seed).choice(np.array([0, *ids], np.int32), (height, width))
    encoded = rle.encode(labels, ids)
    assert len(encoded) == len(ids)
    for object_id, mask in zip(ids, encoded, strict=True):
        true = labels == object_id
        assert np.array_equal(rle.decode(mask.counts, height, width), true)
        assert mask.area == true.sum()
        rows, columns = np.nonzero(true)
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1) if true.any() else (0, 0, 0, 0)
        assert mask.box == box


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 30), st.integers(1, 9), st.sampled_from("CF"))
@settings(max_examples=100, deadline=None)
def test_bytes_are_those_of_pycocotools(
    seed: int, height: int, width: int, cell: int, order: Literal["C", "F"]
) -> None:
    coarse = np.random.default_rng(seed).integers(0, 4, (height // cell + 1, width // cell + 1), dtype=np.int32)
    labels = np.asarray(coarse.repeat(cell, 0).repeat(cell, 1)[:height, :width], order=order)
    for object_id, mask in zip((1, 2, 3), rle.encode(labels, (1, 2, 3)), strict=True):
        plane = np.asfortranarray((labels == object_id).astype(np.uint8))
        assert mask.counts == coco.encode(plane)["counts"].decode()


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 60), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_masks_of_pycocotools_are_read(seed: int, height: int, width: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    counts = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert np.array_equal(rle.decode(counts, height, width), mask)


@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=500, deadline=None)
def test_any_text_is_a_mask_or_refused(counts: str, height: int, width: int) -> None:
    """pycocotools gives uninitialised memory for some of these, and reads beyond the text of others."""
    try:
        mask = rle.decode(counts, height, width)
    except ValueError:
        return
    (encoded,) = rle.encode(mask.astype(np.int32), [1])
    assert mask.shape == (height, width)
    assert np.array_equal(rle.decode(encoded.counts, height, width), mask)


@pytest.mark.parametrize(
    ("counts", "size", "message"),
    [
        ("0b1", (6, 8), "a run of 50 pixels, and its size 8x6 is 48"),
        ("0n0n0", (6, 8), "its runs are 60 pixels together"),
        ("34", (6, 8), "its runs are 7 pixels together"),
        ("5M^1", (6, 8), "a run of -3 pixels"),
        ("0o", (6, 8), "not as COCO's compressed RLE is"),
        ("", (6, 8), "no RLE of 48 pixels: ''"),
        ("\u00e9", (6, 8), "no RLE of 48 pixels"),
        ("0" * 1_000, (6, 8), "no RLE of 48 pixels"),
        ("PPPPPPPP0", (6, 8), "a number of 9 digits"),
        ("05", (10**9, 10**9), "its size is 1000000000x1000000000"),
        ("05", (0, 8), "its size is 8x0"),
        ("05", (-6, -8), "its size is -8x-6"),
    ],
)
def test_invalid_mask_is_named(counts: str, size: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rle.decode(counts, *size)


TEXTS = st.one_of(
    st.text("0123456789:;<=>?@PQ_`no", min_size=1, max_size=6),
    st.sampled_from(["", "0b1", "`0", "3O_0", "05M^1", "0" * 200, "PPPPPPPP0", "o", "/0", "\x7f", "0P", "P0P0"]),
    st.integers(0, 2**48 - 1).map(lambda bits: _counts(bits)),
)


def _counts(bits: int) -> str:
    """Of the mask (6, 8) with these pixels."""
    mask = (bits >> np.arange(48)) & 1
    return rle.encode(mask.reshape(6, 8).astype(np.int32), [1])[0].counts


@pytest.mark.heavy
@given(st.lists(TEXTS, max_size=9), st.integers(1, 4))
@settings(max_examples=1_000, deadline=None)
def test_many_masks_are_checked_at_once_as_each_is_decoded(texts: list[str], at_once: int) -> None:
    """Nothing that decoding refuses gets through, wherever it stands; and the areas are those of the masks."""
    expected: list[int] | None = []
    for text in texts:
        try:
            expected = None if expected is None else [*expected, int(rle.decode(text, 6, 8).sum())]
        except ValueError:
            expected = None
    starts = np.cumsum([0, *map(len, texts)])[:-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rle, "MASKS_AT_ONCE", at_once)
        found = rle.areas(np.frombuffer("".join(texts).encode(), np.uint8), starts, np.full(len(texts), 48))
    assert (None if found is None else found.tolist()) == expected
