"""Videos that are under way at the same time share an actor's seconds, so that costs are not counted twice."""

import pytest

from jobs.actors.shared_time import SharedTime


def test_shares_add_up_to_the_actors_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    shared = SharedTime()
    with shared.share() as first:
        now += 4
        with shared.share() as second:
            now += 6
            assert (first(), second()) == (7, 3)
        now += 1
        assert first() == 8
    now += 50  # nothing is under way
    with shared.share() as third:
        now += 2
        assert third() == 2
