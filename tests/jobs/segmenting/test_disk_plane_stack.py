"""Planes on disk come back as they were put there, the last first, and take no memory meanwhile."""

import tempfile
import tracemalloc

import numpy as np
import pytest

from jobs.segmenting.disk_plane_stack import DiskPlaneStack
from stcn_core.propagation.plane_stack import StackedPlanes


def planes(index: int, ids: tuple[int, ...], height: int = 5, width: int = 7) -> StackedPlanes:
    values = np.random.default_rng(index).integers(0, 256, (len(ids), height, width), np.uint8)
    return StackedPlanes(index, ids, values)


def assert_equal(found: StackedPlanes, expected: StackedPlanes) -> None:
    assert (found.frame_index, found.object_ids) == (expected.frame_index, expected.object_ids)
    assert found.planes.dtype == np.uint8
    assert np.array_equal(found.planes, expected.planes)


def test_what_is_put_last_is_taken_first() -> None:
    some = [planes(0, (1,)), planes(1, ()), planes(2, (70_000, 2**31 - 1, 3)), planes(3, (2,))]
    with tempfile.TemporaryFile() as file:
        kept = DiskPlaneStack(file)
        for frame in some[:3]:
            kept.append(frame)
        assert_equal(kept.pop(), some[2])
        kept.append(some[3])  # over what was taken
        for frame in (some[3], some[1], some[0]):
            assert_equal(kept.pop(), frame)
        with pytest.raises(IndexError):
            kept.pop()


def test_memory_does_not_grow_with_the_frames() -> None:
    frame = planes(0, (1, 2), 120, 160)
    with tempfile.TemporaryFile() as file:
        kept = DiskPlaneStack(file)
        tracemalloc.start()
        for _ in range(100):
            kept.append(frame)
        for _ in range(100):
            kept.pop()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 100 * frame.planes.nbytes / 5
