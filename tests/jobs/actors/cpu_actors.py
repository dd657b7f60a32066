"""Actors of tests, with a CPU each, and no model to load."""

from collections.abc import Collection
from typing import Any, cast

import ray

from jobs.actors.handles import SegmenterHandle


class CpuActor:
    """An actor that loads nothing. What it does with a shard is its subclass's."""

    def node(self) -> str:
        return str(ray.get_runtime_context().get_node_id())

    def load(self) -> None: ...


class CpuActorFactory:
    """Starts such actors, wherever Ray puts them."""

    def __init__(self, kind: type[CpuActor], *arguments: object) -> None:
        self._kind, self._arguments = kind, arguments
        self.nodes: list[str] = []  # on which actors were told to load

    def start(self, name: str, *, avoid: Collection[str]) -> SegmenterHandle:
        return cast(SegmenterHandle, ray.remote(self._kind).options(num_cpus=1).remote(*self._arguments))

    def load(self, actor: SegmenterHandle, node: str) -> "ray.ObjectRef[None]":
        self.nodes.append(node)
        return cast(Any, actor).load.remote()  # type: ignore[no-any-return]
