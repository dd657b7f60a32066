"""What the tests of watching share."""

import pytest

from jobs.watching import live_file


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver is at work here whose loop would say what it is at."""
    monkeypatch.setattr(live_file, "ANSWER_SECONDS", 0.1)
