"""Threads that inherit the context variables of the code that starts them, such as the storage policy.

A thread of Python 3.11 begins with an empty context otherwise.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from threading import Thread


def inheriting_thread(target: Callable[..., None], *args: object) -> Thread:
    """A daemon thread, not yet started, that runs `target(*args)` in a copy of the caller's context."""
    return Thread(target=copy_context().run, args=(target, *args), daemon=True)


def inheriting_pool(threads: int) -> ThreadPoolExecutor:
    """A thread pool whose threads see the context variables that the caller sees now."""
    return ThreadPoolExecutor(threads, initializer=_adopt, initargs=(copy_context(),))


def _adopt(context: Context) -> None:
    for variable, value in context.items():  # two threads cannot run in one context at the same time
        variable.set(value)
