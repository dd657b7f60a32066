"""A worker, and the shards that it was given: the scheduler's picture of an actor."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from jobs.scheduling.assignment import Assignment

WorkerState = Literal["waiting for a node", "loading", "compiling", "idle", "segmenting", "between videos"]


@dataclass(kw_only=True)
class Worker:
    """One process that segments. The first of its assignments is at work; another waits at the worker."""

    name: str
    node: str | None = None  # where it is; None while it waits for a node
    is_compiling: bool = False  # the model is loaded, and being compiled until it is up
    is_up: bool = False  # the model is loaded, and compiled where it is to be
    assignments: deque[Assignment] = field(default_factory=deque)
    is_leaving: bool = False  # it was told to hand over its finished videos, and gets no other shard
    last_event: float = 0.0  # time, in seconds

    @property
    def state(self) -> WorkerState:
        """What it does."""
        if self.node is None:
            return "waiting for a node"
        if not self.is_up:
            return "compiling" if self.is_compiling else "loading"
        if not self.assignments:
            return "idle"
        return "segmenting" if self.is_segmenting else "between videos"

    @property
    def is_segmenting(self) -> bool:
        """Whether a video is under way."""
        return bool(self.assignments and self.assignments[0].under_way)
