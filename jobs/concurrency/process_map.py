"""Work in processes of one thread each, with results in order."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait
from typing import TypeVar

from jobs.errors import FatalError

Result = TypeVar("Result")


def process_map(
    function: Callable[..., Result],
    calls: Iterable[tuple[object, ...]],
    processes: int,
    *,
    ahead: int = 2,
    begin: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """What `function` returns for the arguments of each call, in order; what it raises is raised here.

    ahead: calls that are taken and wait for each process. begin: called once in each, and like `function` one that can
    be imported. Raises FatalError if a process ends. They end when the caller is done with them or dies.
    """
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads of other libraries can hang
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(begin,))
    waiting: deque[Future[Result]] = deque()
    todo = iter(calls)
    try:
        while True:
            waiting.extend(pool.submit(function, *call) for call in islice(todo, processes * ahead - len(waiting)))
            if not waiting:
                break
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise FatalError(
            "a process ended in the middle of its work; where memory ran out, fewer processes need less"
        ) from error
    finally:
        # Nobody waits for what is under way. Where nothing is, the pool's thread ends first: one that closes its pipe
        # while Python ends is told of on stderr (Python 3.11; 1 of 75 runs on a busy machine).
        pool.shutdown(wait=not waiting, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()


def _begin(begin: Callable[[], None] | None) -> None:
    """Set up a process: it ends by an interrupt without a word, and with its parent, even one that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    if begin is not None:
        begin()
