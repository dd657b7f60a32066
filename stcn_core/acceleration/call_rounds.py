"""Calls of several threads that meet in rounds: nothing runs until everybody who has a seat waits for a call.

So which calls run together follows from what is asked for, and never from which thread was faster.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

LOG = logging.getLogger("stcn_core")
LONG_WAIT_SECONDS = 60.0  # for others to call
MOST_PASSED_OVER = 16  # rounds, after which a call goes first


@dataclass(eq=False)
class Call:
    """One thread's call, whose result it waits for."""

    seat: "Seat"
    method: str
    arguments: tuple[Any, ...]
    result: "Future[Any]" = field(default_factory=Future)
    passed_over: int = 0  # rounds that ran other calls


class Seat:
    """One thread's place in the rounds. It may wait to be seated; leaving gives the place to the next one."""

    def __init__(self, rounds: "Rounds") -> None:
        self._rounds = rounds
        self.waited, self.waiting_since = 0.0, None  # type: float, float | None
        self.company = 0  # calls that run together with this thread's own, which counts; 0: none of it runs

    def ask(self, method: str, *arguments: Any) -> Any:
        """Wait for the round of a call, and return its result. Raises what the call raises."""
        return self._rounds.ask(self, method, arguments)

    def leave(self) -> None:
        """Take part in no further round; a call that waits for one raises RuntimeError. May be called again."""
        self._rounds.leave(self)

    def own_seconds(self) -> float:
        """A monotonic clock that stands still while this thread waits for a seat, or for other threads' calls."""
        with self._rounds.changed:
            now = time.monotonic()
            return now - self.waited - (0.0 if self.waiting_since is None else now - self.waiting_since)


class Rounds:
    """Runs calls of the threads that are seated, in a thread of its own.

    Once all of them wait, the calls of one method run, and the others are passed over. The methods' order says which:
    threads that are a step behind catch up so, and then share all of their calls.
    """

    def __init__(self, run: Callable[[Sequence[Call]], None], *, methods: Sequence[str], seats: int) -> None:
        """run: runs calls of one method, in the order of their seats, and sets the result of each.

        methods: from the first that runs to the last. seats: threads that take part at a time; further ones are seated
        in the order in which they joined, as others leave.
        """
        self.changed = threading.Condition()
        self._run, self._methods, self._most = run, list(methods), seats
        self._seated: list[Seat] = []
        self._queued: deque[Seat] = deque()
        self._calls: dict[Seat, Call] = {}
        self._is_closed = self._has_warned = False
        self._thread = threading.Thread(target=self._run_rounds, name="shared network calls", daemon=True)
        self._thread.start()

    def join(self) -> Seat:
        """Take a seat, or queue for one."""
        seat = Seat(self)
        with self.changed:
            self._queued.append(seat)
            self._fill_seats()
        return seat

    def ask(self, seat: Seat, method: str, arguments: tuple[Any, ...]) -> Any:
        """`Seat.ask`."""
        call = Call(seat, method, arguments)
        with self.changed:
            if self._is_closed:
                raise RuntimeError(f"{method} was called after the shared network was closed; make another")
            if seat not in self._seated and seat not in self._queued:
                raise RuntimeError(f"{method} was called by a clip that is over; take another for the next clip")
            if seat in self._calls:
                raise RuntimeError(f"{method} was called while another thread waits for a call of the same clip")
            self._calls[seat] = call
            seat.waiting_since = time.monotonic()
            self.changed.notify_all()
        return call.result.result()

    def leave(self, seat: Seat) -> None:
        """`Seat.leave`."""
        with self.changed:
            for seats in (self._seated, self._queued):
                if seat in seats:
                    seats.remove(seat)
            if call := self._calls.pop(seat, None):
                call.result.set_exception(RuntimeError(f"the clip is over that waits for {call.method}"))
            self._fill_seats()
            self.changed.notify_all()

    def close(self) -> None:
        """End the thread of the rounds. Calls that wait raise RuntimeError."""
        with self.changed:
            self._is_closed = True
            self.changed.notify_all()
        self._thread.join()

    def _fill_seats(self) -> None:
        while self._queued and len(self._seated) < self._most:
            self._seated.append(self._queued.popleft())

    def _run_rounds(self) -> None:
        while calls := self._next_round():
            try:
                self._run(calls)
            except BaseException as error:  # whose call waits must hear of it
                for call in calls:
                    if not call.result.done():
                        call.result.set_exception(error)

    def _next_round(self) -> list[Call]:
        """Wait until all are there, and take the calls that run; none once the rounds are closed."""
        with self.changed:
            while not self.changed.wait_for(self._is_ready, LONG_WAIT_SECONDS):
                self._warn_of_absent()
            if self._is_closed:
                for call in self._calls.values():
                    call.result.set_exception(RuntimeError("the shared network was closed"))
                self._calls.clear()  # whoever leaves next is not answered again
                return []
            waiting = [self._calls[seat] for seat in self._seated]
            method = self._method_of(waiting)
            chosen = [call for call in waiting if call.method == method]
            for call in waiting:
                call.passed_over += call not in chosen
            for call in chosen:
                self._begin(call, len(chosen))
            return chosen

    def _is_ready(self) -> bool:
        return self._is_closed or self._all_wait()

    def _warn_of_absent(self) -> None:
        """Say once that some wait long for others: a clip that is over and keeps its seat shows in no other way."""
        since = [seat.waiting_since for seat in self._seated if seat.waiting_since is not None]
        if self._has_warned or not since or time.monotonic() - min(since) < LONG_WAIT_SECONDS:
            return
        self._has_warned = True
        LOG.warning(
            "clips wait for %d of %d that share calls, for %.0f s so far: these decode slowly, or are over; a clip "
            "takes part until its `with` block ends",
            len(self._seated) - len(since),
            len(self._seated),
            time.monotonic() - min(since),
        )

    def _all_wait(self) -> bool:
        return bool(self._seated) and all(seat in self._calls for seat in self._seated)

    def _method_of(self, waiting: Sequence[Call]) -> str:
        """The first in the methods' order; but a call that was passed over too often goes first."""
        first = max(waiting, key=lambda call: (call.passed_over >= MOST_PASSED_OVER) * call.passed_over)
        if first.passed_over >= MOST_PASSED_OVER:
            return first.method
        return min((call.method for call in waiting), key=self._methods.index)

    def _begin(self, call: Call, company: int) -> None:
        seat = call.seat
        del self._calls[seat]
        assert seat.waiting_since is not None
        seat.waited += time.monotonic() - seat.waiting_since
        seat.waiting_since, seat.company = None, company
        call.result.add_done_callback(lambda _: setattr(seat, "company", 0))
