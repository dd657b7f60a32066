"""Working ahead keeps order, bounds, exceptions, and leaves nothing running."""

import threading
import time
from collections.abc import Iterator

import pytest

from jobs.concurrency.prefetch import Prefetch


def until(holds: object, seconds: float = 10) -> bool:
    """Wait for a condition that another thread brings about."""
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.001)
    return bool(holds())


def test_all_items_come_in_order() -> None:
    with Prefetch(range(100), most=3) as items:
        assert list(items) == list(range(100))


def test_prefetch_is_bounded() -> None:
    made: list[int] = []

    def work() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    with Prefetch(work(), most=4) as items:
        assert until(lambda: len(made) == 4)
        assert next(items) == 0
        assert until(lambda: len(made) == 5)
        time.sleep(0.05)
        assert len(made) == 5


def test_prefetch_raises_in_order() -> None:
    def work() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    with Prefetch(work(), most=2) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="damaged"):
            next(items)


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_leaving_prefetch_joins_its_thread(taken: int) -> None:
    before = threading.active_count()
    inside = threading.Event()

    def work() -> Iterator[int]:
        for number in range(1000):
            inside.set()
            time.sleep(0.01)
            inside.clear()
            yield number

    with Prefetch(work(), most=2) as items:
        for _ in range(taken):
            next(items)
    assert not inside.is_set()  # a decoder may be closed now
    assert threading.active_count() == before
