"""Actors are started without storing their class in Ray again for each of them."""

from typing import Any, cast

import pytest
import ray

from jobs.actors.actor_factory import SegmenterFactory
from jobs.actors.division import Division
from jobs.actors.nodes import Nodes


class ActorClass:
    """What Ray makes of a class."""

    made = 0

    def __init__(self, kind: type) -> None:
        ActorClass.made += 1

    def options(self, **options: object) -> "ActorClass":
        return self

    def remote(self, *arguments: object) -> str:
        return "an actor"


def test_class_of_actors_is_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, answer in {"remote": ActorClass, "put": lambda _: None, "nodes": list}.items():
        monkeypatch.setattr(ray, name, answer)
    division = Division(actors=3, gpus=0.0, cpus=1.0)
    any_: Any = cast(Any, None)
    model = type("Model", (), {"content": b""})
    factory = SegmenterFactory(any_, cast(Any, model), division, settings=any_, nodes=Nodes())
    for number in range(3):
        factory.start(str(number), avoid=())
    assert ActorClass.made == 1
