"""Threads see the context variables of the code that starts them, and change none of its."""

from contextvars import ContextVar
from threading import Barrier

from jobs.concurrency.prefetch import Prefetch
from jobs.concurrency.threads import inheriting_pool, inheriting_thread

VARIABLE: ContextVar[str] = ContextVar("variable", default="none")


def test_threads_inherit_and_give_nothing_back() -> None:
    seen: list[str] = []
    both_work = Barrier(2, timeout=30)

    def see(_: int = 0) -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set("changed")

    def see_beside_another(number: int) -> None:
        both_work.wait()
        see(number)

    token = VARIABLE.set("mine")
    try:
        thread = inheriting_thread(see)
        thread.start()
        thread.join()
        with inheriting_pool(2) as pool:
            list(pool.map(see_beside_another, range(2)))
        with Prefetch(map(see, range(1)), most=1) as items:
            list(items)
        assert seen == ["mine"] * 4
        assert VARIABLE.get() == "mine"
    finally:
        VARIABLE.reset(token)
