"""What the tests of promises share."""

from collections.abc import Iterator

import pytest

from jobs.io.patience import PATIENCE_SECONDS, set_patience


@pytest.fixture(autouse=True)
def _impatience() -> Iterator[None]:
    """Nobody waits five minutes for a test's fault to pass."""
    set_patience(10.0)
    yield
    set_patience(PATIENCE_SECONDS)
