"""Clips that are propagated at the same time, a thread each, with one network."""

from collections.abc import Callable, Iterable, Sequence
from threading import Thread
from typing import TypeVar

from stcn_core.acceleration.shared_network import SharedNetwork
from stcn_core.models.network import Network

T = TypeVar("T")
SECONDS = 60.0  # after which clips that wait for each other are a failure, not a hang of the tests


def together(
    model: Network,
    clips: Sequence[Callable[[Network], Iterable[T]]],
    *,
    at_once: int = 8,
    shared: SharedNetwork | None = None,
) -> list[list[T] | Exception]:
    """What each clip gives, or the error that it raises. shared: in place of one of the model's own."""
    results: list[list[T] | Exception] = [RuntimeError("it never ended")] * len(clips)
    shared = shared or SharedNetwork(model, at_once=at_once)
    networks = [shared.clip() for _ in clips]

    def work(number: int) -> None:
        with networks[number] as network:
            try:
                results[number] = list(clips[number](network))
            except Exception as error:
                results[number] = error

    threads = [Thread(target=work, args=(number,), daemon=True) for number in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads), "clips wait for each other"
    shared.close()
    return results


def masks_of(result: list[T] | Exception) -> list[T]:
    """What a clip gave; its error is raised."""
    if isinstance(result, Exception):
        raise result
    return result
