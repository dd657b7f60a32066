"""Starts actors: Ray chooses a node for each, and there it loads the model, with its share of that node."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol, cast

import ray

from jobs.actors.actor_settings import ActorSettings
from jobs.actors.division import Division
from jobs.actors.handles import MailboxHandle, SegmenterHandle
from jobs.actors.nodes import Nodes
from jobs.actors.segmenter import Segmenter
from jobs.inputs.model_file import ModelFile

if TYPE_CHECKING:
    from ray import ObjectRef

NODE_ID_LABEL = "ray.io/node-id"  # that Ray gives each node


def away_from(nodes: Collection[str]) -> dict[str, str]:
    """Ray's label selector for any node but these. nodes: ids."""
    return {NODE_ID_LABEL: f"!in({','.join(sorted(nodes))})"}


class ActorFactory(Protocol):
    """Starts actors, which have no videos yet. Neither method waits."""

    def start(self, name: str, *, avoid: Collection[str]) -> SegmenterHandle:
        """Start an actor under a name. avoid: ids of nodes that it may not be on."""
        ...

    def load(self, actor: SegmenterHandle, node: str) -> "ObjectRef[None]":
        """Let an actor that is on a node load what it needs."""
        ...


class SegmenterFactory:
    """Starts the actors of a run. The death of one is final: the driver decides what follows."""

    def __init__(
        self, mailbox: MailboxHandle, model: ModelFile, division: Division, *, settings: ActorSettings, nodes: Nodes
    ) -> None:
        self._mailbox, self._division, self._settings, self._nodes = mailbox, division, settings, nodes
        self._model = ray.put(model.content)  # once for each node
        self._segmenter = ray.remote(Segmenter)  # once: Ray stores a class for each such call, which takes 10 ms

    def start(self, name: str, *, avoid: Collection[str]) -> SegmenterHandle:
        """As ActorFactory says. Where no other node fits, none is avoided."""
        others = self._nodes.ids.difference(avoid)
        can_avoid = avoid and any(self._division.slots(self._nodes.resources(node)) for node in others)
        remote = self._segmenter.options(
            num_cpus=self._division.cpus,
            num_gpus=self._division.gpus,
            max_restarts=0,
            max_task_retries=0,
            label_selector=away_from(avoid) if can_avoid else None,
        )
        return cast(SegmenterHandle, remote.remote(name, self._mailbox))

    def load(self, actor: SegmenterHandle, node: str) -> "ObjectRef[None]":
        """As ActorFactory says."""
        share = self._division.share(self._nodes.resources(node))
        return actor.load.remote(self._model, self._settings, share=share)
