"""Work that goes on in a thread while its results are used: decoding, downloading."""

from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from threading import Event, Semaphore
from types import TracebackType
from typing import Generic, TypeVar

from jobs.concurrency.threads import inheriting_thread

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Iterates in a thread of its own, at most `most` items ahead of who takes them.

    A context manager: leaving it waits until the thread has left the iterable. An exception of the iterable is
    raised where its item would have been taken.
    """

    def __init__(self, items: Iterable[T], most: int) -> None:
        self._items = items
        self._room = Semaphore(most)
        self._stopped = Event()
        self._ready: SimpleQueue[tuple[bool, T | BaseException | None]] = SimpleQueue()
        self._thread = inheriting_thread(self._work)

    def _work(self) -> None:
        try:
            items = iter(self._items)
            while self._room.acquire() and not self._stopped.is_set():
                self._ready.put((True, next(items)))
        except StopIteration:
            self._ready.put((False, None))
        except BaseException as error:  # raised again in the thread that takes the items
            self._ready.put((False, error))

    def __enter__(self) -> Iterator[T]:
        self._thread.start()
        return self._taken()

    def _taken(self) -> Iterator[T]:
        while True:
            is_item, item = self._ready.get()
            if not is_item:
                if item is None:
                    return
                raise item  # type: ignore[misc]
            self._room.release()
            yield item  # type: ignore[misc]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._room.release()
        self._thread.join()
