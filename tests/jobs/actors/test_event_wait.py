"""How long events wait is the time between an answer and the next question."""

from jobs.actors.event_wait import EventWait


def test_the_longest_time_without_a_question_counts_once() -> None:
    wait = EventWait()
    for asked, answered in ((0.0, 1.0), (1.5, 4.0), (4.1, 9.0)):  # the driver is away for 0.5 and 0.1 s
        wait.asked(asked)
        wait.answered(answered)
    wait.asked(9.0)
    assert wait.longest(20.0) == 0.5
    assert wait.longest(20.0) == 0.0


def test_a_driver_that_hangs_shows_while_it_hangs() -> None:
    wait = EventWait()
    wait.asked(0.0)
    wait.answered(1.0)
    assert [wait.longest(now) for now in (5.0, 61.0)] == [4.0, 60.0]
