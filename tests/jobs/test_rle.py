"""Encoded masks decode to themselves, and their area and box are those of their pixels."""

from typing import Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from jobs import rle


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
