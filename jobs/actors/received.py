"""What Ray has ready for the driver, of many actors by one question each.

Asked for event by event, 1,000 actors that report twice a second took 4 % of a core more.
"""

from collections.abc import Collection
from typing import Any, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from jobs.actors.handles import EventStream
from jobs.records import Event

R = TypeVar("R")  # of references
Received = Event | StopIteration | RayError  # an event, or how its stream ended


def ready_now(references: Collection[R]) -> list[R]:
    """The references whose results are there."""
    ready: list[Any] = ray.wait(list(references), num_returns=len(references), timeout=0, fetch_local=False)[0]
    return ready


def next_events(streams: Collection[EventStream]) -> dict[EventStream, Received]:
    """The next event of each stream, or how it ended. All of them are ready."""
    ended: dict[EventStream, Received] = {}
    references = {}
    for stream in streams:
        try:
            references[stream] = next(stream)
        except StopIteration as end:
            ended[stream] = end
    try:
        events: list[Received] = ray.get(list(references.values()))
    except RayError:  # of one of them: Ray does not say of which
        events = [_event(reference) for reference in references.values()]
    return ended | dict(zip(references, events, strict=True))


def is_death(received: Received) -> bool:
    """Whether it says that the actor is gone, and not that its shard failed."""
    return isinstance(received, RayError) and not isinstance(received, RayTaskError)


def _event(reference: "ray.ObjectRef[Event]") -> Received:
    try:
        return ray.get(reference)
    except RayError as error:
        return error
