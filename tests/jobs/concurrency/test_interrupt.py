"""A signal that comes while an object is being deleted still counts."""

import signal
from collections.abc import Iterator

import pytest

from jobs.concurrency import interrupt


@pytest.fixture(autouse=True)
def _handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(interrupt, "_requested", False)
    interrupt.listen()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_dropped_in_a_destructor_is_remembered(number: signal.Signals) -> None:
    class Deleted:
        def __del__(self) -> None:
            signal.raise_signal(number)

    interrupt.check()
    Deleted()
    with pytest.raises(KeyboardInterrupt):
        interrupt.check()


def test_sigint_raises_keyboard_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
