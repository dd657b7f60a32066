"""Seconds that a thread spends in each stage of segmenting a video. A stage interrupts the one around it.

The network's thread is `wait_frame` while it waits for the decoder in the midst of `propagate`, so what the stages of
one thread come to is the time that it worked.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from jobs.telemetry.metrics import STAGE_SECONDS
from jobs.telemetry.totals import count

T = TypeVar("T")
Stage = Literal["fetch", "decode", "propagate", "encode", "upload", "wait_video", "wait_frame"]


class _Clock(threading.local):
    stage: Stage | None = None  # of this thread, now
    since = 0.0  # time at which it began


_clock = _Clock()


@contextmanager
def in_stage(stage: Stage) -> Iterator[None]:
    """Count the time inside the block to a stage. 3 us; a frame of the fastest network takes 5 ms."""
    outer = _clock.stage
    _switch(stage)
    try:
        yield
    finally:
        _switch(outer)


@dataclass(frozen=True)
class Timed(Generic[T]):
    """Items, where the time that each takes to come is counted to a stage, of the thread that asks for it."""

    stage: Stage
    items: Iterable[T]

    def __iter__(self) -> Iterator[T]:
        iterator = iter(self.items)
        while True:
            with in_stage(self.stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item


def _switch(stage: Stage | None) -> None:
    now = time.perf_counter()
    if _clock.stage is not None:
        count(STAGE_SECONDS, now - _clock.since, stage=_clock.stage)
    _clock.stage, _clock.since = stage, now
