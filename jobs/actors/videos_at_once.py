"""A shard's videos, several at once: a thread each, whose events come as one stream."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from queue import SimpleQueue
from threading import Event as Flag
from threading import Thread

from jobs.concurrency.threads import inheriting_thread
from jobs.records import Event
from jobs.segmenting.work_item import WorkItem
from stcn_core.acceleration.shared_network import ClipNetwork, SharedNetwork

Work = Callable[[WorkItem, ClipNetwork], Generator[Event, None, None]]
TAKEN_SECONDS = 0.1  # between two looks at whether anybody still takes events


class _End:
    """The last item of a thread."""


class _Handed:
    """An event, and whether whoever takes the events came back for the next one."""

    def __init__(self, event: Event) -> None:
        self.event, self.taken = event, Flag()


class VideosAtOnce:
    """Segments videos in the threads of one network, in the shard's order.

    All videos queue for the network's seats before the first begins. So which of them share calls follows from the
    shard alone, and its masks are the same bytes each time. Some threads more than there are seats fetch and open the
    next videos, so that a seat is taken as soon as it is free. A thread goes on once its event was taken: if a video
    ends the process, the driver knows that it had begun.
    """

    def __init__(self, shared: SharedNetwork, items: Sequence[WorkItem], work: Work, *, at_once: int) -> None:
        """work: segments one video, and yields its events. at_once: videos that share the network's calls."""
        self._items, self._work = items, work
        self._networks = [shared.clip() for _ in items]
        self._numbers = iter(range(len(items)))  # whose `next` is one step for Python's lock
        self._stopped = Flag()
        self._queue: SimpleQueue[_Handed | _End | BaseException] = SimpleQueue()
        threads = min(len(items), at_once + max(1, at_once // 2))
        self._threads = [inheriting_thread(self._run) for _ in range(threads)]

    def events(self) -> Iterator[Event]:
        """Yield the events of all videos as they come. Raises the first error that is no video's.

        Ends, also by an error or if it is closed, once no thread works any more.
        """
        try:
            for thread in self._threads:
                thread.start()
            yield from self._received()
        finally:
            self._stopped.set()
            for thread in filter(Thread.is_alive, self._threads):  # a machine may have refused to start some
                thread.join()
            for network in self._networks:
                network.seat.leave()  # where no thread came to it, the next shard would wait for it

    def _received(self) -> Iterator[Event]:
        at_work = len(self._threads)
        while at_work:
            received = self._queue.get()
            if isinstance(received, BaseException):
                raise received
            if isinstance(received, _End):
                at_work -= 1
            else:
                yield received.event
                received.taken.set()

    def _run(self) -> None:
        """In each thread. Once stopped, the videos that nobody began give up their seats: others may wait for them."""
        for number in self._numbers:
            with self._networks[number] as network:
                try:
                    self._segment(self._items[number], network)
                except BaseException as error:  # raised in the thread that takes the events
                    self._stopped.set()
                    self._queue.put(error)
        self._queue.put(_End())

    def _segment(self, item: WorkItem, network: ClipNetwork) -> None:
        if self._stopped.is_set():
            return
        with closing(self._work(item, network)) as events:
            for event in events:
                handed = _Handed(event)
                self._queue.put(handed)
                while not handed.taken.wait(TAKEN_SECONDS):
                    if self._stopped.is_set():
                        return
