"""How long events wait is the time between an answer and the next question."""

from jobs.actors.event_wait import EventWait


def test_the_longest_time_without_a_question_counts_for_a_minute() -> None:
    wait = EventWait()
    for asked, answered in ((0.0, 1.0), (1.5, 4.0), (4.25, 9.0)):  # the driver is away for 0.5 and 0.25 s
        wait.asked(asked)
        wait.answered(answered)
    wait.asked(9.0)
    assert [wait.longest(now) for now in (9.0, 61.5, 61.6, 64.25, 64.3)] == [0.5, 0.5, 0.25, 0.25, 0.0]


def test_a_driver_that_is_away_again_and_again_shows_at_each_look() -> None:
    """Ray takes one value in 10 s, so a wait that counted once would be missed nine times of ten."""
    wait, seen = EventWait(), []
    for second in range(120):
        if second % 13 == 0:
            wait.answered(second)  # and away for 12 s
        elif second % 13 == 12:
            wait.asked(second)
        if second > 12 and second % 10 == 0:
            seen.append(wait.longest(second))
    assert min(seen) == 12.0


def test_a_driver_that_hangs_shows_while_it_hangs() -> None:
    wait = EventWait()
    wait.asked(0.0)
    wait.answered(1.0)
    assert [wait.longest(now) for now in (5.0, 61.0)] == [4.0, 60.0]
