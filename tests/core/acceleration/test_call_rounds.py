"""Threads that call in rounds never wait for one that is gone, and who shares a call does not depend on their speed."""

import random
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from stcn_core.acceleration import call_rounds
from stcn_core.acceleration.call_rounds import MOST_PASSED_OVER, Call, Rounds, Seat

METHODS = ("first", "second")


class Recorded:
    """Rounds whose calls return their argument, and a record of which ran together."""

    def __init__(self, seats: int = 8, run: Callable[[Sequence[Call]], None] | None = None) -> None:
        self.together: list[tuple[str, list[object]]] = []
        self._run = run or self._echo
        self.rounds = Rounds(self.note, methods=METHODS, seats=seats)

    def note(self, calls: Sequence[Call]) -> None:
        self.together.append((calls[0].method, [call.arguments[0] for call in calls]))
        self._run(calls)

    def _echo(self, calls: Sequence[Call]) -> None:
        for call in calls:
            call.result.set_result(call.arguments[0])

    def run(self, *works: Callable[[Seat], None]) -> None:
        """Each in a thread of its own, seated in this order."""
        seats = [self.rounds.join() for _ in works]

        def work(number: int) -> None:
            try:
                works[number](seats[number])
            finally:
                seats[number].leave()

        threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(works))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads), "a thread waits for ever"
        self.rounds.close()


def calls(name: object, methods: Sequence[str], seed: int | None = None) -> Callable[[Seat], None]:
    def work(seat: Seat) -> None:
        pauses = random.Random(seed)
        for method in methods:
            if seed is not None and pauses.random() < 0.5:
                time.sleep(0.002)
            assert seat.ask(method, name) == name

    return work


def test_threads_that_are_a_step_behind_catch_up_and_share_all_calls_then() -> None:
    recorded = Recorded()
    recorded.run(calls("a", ["second", "first", "second"]), calls("b", ["first", "second", "first", "second"]))
    assert recorded.together == [
        ("first", ["b"]), ("second", ["a", "b"]), ("first", ["a", "b"]), ("second", ["a", "b"]),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_which_calls_run_together_does_not_depend_on_who_is_faster(seed: int) -> None:
    plan = random.Random(7)
    lists = [[plan.choice(METHODS) for _ in range(plan.randrange(12))] for _ in range(9)]
    quick, slow = Recorded(seats=3), Recorded(seats=3)
    quick.run(*(calls(number, methods) for number, methods in enumerate(lists)))
    slow.run(*(calls(number, methods, seed=10 * seed + number) for number, methods in enumerate(lists)))
    assert quick.together == slow.together
    assert sum(len(some) for _, some in quick.together) == sum(map(len, lists))


def test_no_more_threads_share_a_call_than_there_are_seats_and_the_next_in_line_gets_one() -> None:
    recorded = Recorded(seats=2)
    recorded.run(calls("a", ["first"]), calls("b", ["first"] * 3), calls("c", ["first"]), calls("d", ["first"]))
    assert recorded.together == [("first", ["a", "b"]), ("first", ["b", "c"]), ("first", ["b", "d"])]


def test_a_call_that_others_pass_over_has_its_turn() -> None:
    recorded = Recorded()
    recorded.run(calls("a", ["second"]), calls("b", ["first"] * 3 * MOST_PASSED_OVER))
    assert recorded.together.index(("second", ["a"])) == MOST_PASSED_OVER


@pytest.mark.parametrize("seed", range(5))
def test_nobody_waits_for_threads_that_leave_or_fail_whatever_they_do(seed: int) -> None:
    def random_work(number: int) -> Callable[[Seat], None]:
        choices = random.Random(100 * seed + number)

        def work(seat: Seat) -> None:
            for _ in range(choices.randrange(20)):
                what = choices.random()
                if what < 0.05:
                    return
                if what < 0.1:
                    seat.leave()
                    with pytest.raises(RuntimeError, match="a clip that is over"):
                        seat.ask("first", number)
                    return
                if what < 0.2:
                    with pytest.raises(ZeroDivisionError):
                        seat.ask(choices.choice(METHODS), 0)
                else:
                    assert seat.ask(choices.choice(METHODS), 1 + number) == 1 / (1 + number)

        return work

    def divide(some: Sequence[Call]) -> None:
        for call in some:
            try:
                call.result.set_result(1 / call.arguments[0])
            except ZeroDivisionError as error:
                call.result.set_exception(error)

    Recorded(seats=4, run=divide).run(*(random_work(number) for number in range(12)))


def test_a_failure_of_the_rounds_themselves_is_raised_in_every_thread() -> None:
    def fail(some: Sequence[Call]) -> None:
        raise KeyError("a mistake")

    raised = []

    def work(seat: Seat) -> None:
        for _ in range(2):
            with pytest.raises(KeyError):
                seat.ask("first", 1)
            raised.append(1)

    Recorded(run=fail).run(work, work)
    assert len(raised) == 4


def test_a_closed_round_answers_those_who_wait() -> None:
    rounds = Recorded().rounds
    waits, _absent = rounds.join(), rounds.join()
    threading.Timer(0.05, rounds.close).start()
    with pytest.raises(RuntimeError, match="was closed"):
        waits.ask("first", 1)
    with pytest.raises(RuntimeError, match="after the shared network was closed"):
        waits.ask("first", 1)


def test_who_waits_as_the_rounds_close_can_leave() -> None:
    rounds = Recorded().rounds
    waits, _absent = rounds.join(), rounds.join()
    threading.Timer(0.05, rounds.close).start()
    with pytest.raises(RuntimeError, match="was closed"):
        waits.ask("first", 1)
    waits.leave()


def test_a_second_thread_of_one_clip_is_told_rather_than_left_to_wait() -> None:
    rounds = Recorded().rounds
    shared, absent = rounds.join(), rounds.join()
    told: list[str] = []

    def ask() -> None:
        try:
            shared.ask("first", 1)
        except RuntimeError as error:
            told.append(str(error))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    while not told and time.monotonic() < began + 10:
        time.sleep(0.005)
    absent.leave()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads), "a thread waits for ever"
    assert told == ["first was called while another thread waits for a call of the same clip"]


def test_who_waits_long_is_told_once_of_a_clip_that_kept_its_seat(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(call_rounds, "LONG_WAIT_SECONDS", 0.05)
    recorded = Recorded()
    time.sleep(0.1)  # nobody waits
    seats = [recorded.rounds.join() for _ in range(3)]
    waits = [threading.Thread(target=seat.ask, args=("first", 1), daemon=True) for seat in seats[:2]]
    for thread in waits:
        thread.start()
    began = time.monotonic()
    while not caplog.messages and time.monotonic() < began + 10:
        time.sleep(0.005)
    time.sleep(0.1)  # twice as long again
    seats[2].leave()
    for thread in waits:
        thread.join(10)
    recorded.rounds.close()
    (message,) = caplog.messages
    assert "of 3 that share calls" in message
    assert "a clip takes part until its `with` block ends" in message


def test_a_clock_stands_still_while_others_are_waited_for_and_goes_on_in_a_call() -> None:
    clocks: dict[str, float] = {}
    company: list[int] = []

    def run(some: Sequence[Call]) -> None:
        time.sleep(0.1)
        company.extend(call.seat.company for call in some)
        for call in some:
            call.result.set_result(None)

    def work(name: str, *, is_slow: bool) -> Callable[[Seat], None]:
        def worked(seat: Seat) -> None:
            began = seat.own_seconds()
            if is_slow:
                time.sleep(0.1)
            seat.ask("first", name)
            clocks[name] = seat.own_seconds() - began
            company.append(seat.company)

        return worked

    recorded = Recorded(run=run)
    waits, absent = recorded.rounds.join(), recorded.rounds.join()

    def ask_in_vain() -> None:
        with pytest.raises(RuntimeError, match="the clip is over that waits for first"):
            waits.ask("first", 1)
        company.append(-1)

    asking = threading.Thread(target=ask_in_vain, daemon=True)
    asking.start()
    time.sleep(0.05)
    began = waits.own_seconds()
    time.sleep(0.05)
    assert waits.own_seconds() == pytest.approx(began)
    for seat in (waits, absent):
        seat.leave()
    asking.join(30)
    recorded.run(work("slow", is_slow=True), work("quick", is_slow=False))
    assert clocks["slow"] == pytest.approx(0.2, abs=0.06)
    assert clocks["quick"] == pytest.approx(0.1, abs=0.06)
    assert company == [-1, 2, 2, 0, 0]
