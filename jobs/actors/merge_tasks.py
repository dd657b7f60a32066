"""Merges of files of masks as Ray tasks: some at a time, each repeated where its process or its node dies."""

import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ray
from ray.exceptions import RayError, RayTaskError

from jobs.actors.cluster import AUTOSCALE_SECONDS
from jobs.actors.death_cause import describe_error
from jobs.concurrency import interrupt
from jobs.errors import FatalError
from jobs.io import scratch, storage
from jobs.io.storage_policy import StoragePolicy, storage_policy
from jobs.outputs.merged_file import Source, merge_files
from jobs.planning.merge_plan import Group
from jobs.records import ShardWritten

if TYPE_CHECKING:
    from ray import ObjectRef

TRIES = 4  # of one merge whose process or node dies
WAIT_SECONDS = 0.5
QUEUED_PER_CPU = 2  # so that no processor waits for the driver

Merged = tuple[str, ShardWritten]  # the attempt's folder, below the output, and what it wrote there


@dataclass(frozen=True, kw_only=True)
class MergeSettings:
    """Settings of every merge of a run."""

    output: str
    folder: str  # of this run's attempts, below the output
    storage: StoragePolicy


class MergeTasks:
    """Merges groups of an output's files. A connection to a cluster must be there."""

    def __init__(self, settings: MergeSettings) -> None:
        self._settings = settings
        self._running: dict[ObjectRef[Merged], Group] = {}
        self._had_cpus = 0.0  # time at which there was a CPU

    def run(self, groups: Sequence[tuple[Group, Sequence[Source]]]) -> Iterator[tuple[Group, Merged]]:
        """Merge each group; yields what was written, as it comes. groups: each with where its members are.

        Raises the error of a merge, and FatalError for one whose process died each time.
        """
        task = ray.remote(num_cpus=1, max_retries=TRIES - 1)(_merge)
        waiting = deque(groups)
        self._had_cpus = time.monotonic()
        try:
            while waiting or self._running:
                interrupt.check()
                while waiting and len(self._running) < QUEUED_PER_CPU * max(1, self._cpus()):
                    group, sources = waiting.popleft()
                    self._running[task.remote(sources, self._settings)] = group
                for reference in ray.wait(list(self._running), timeout=WAIT_SECONDS)[0]:
                    yield self._running.pop(reference), _result(reference)
                self._cpus()
        finally:
            for reference in self._running:
                ray.cancel(reference, force=True)
            self._running.clear()

    def _cpus(self) -> float:
        """CPUs of the cluster. Raises FatalError where it has had none for long: Ray's tasks wait for ever."""
        cpus = float(ray.cluster_resources().get("CPU", 0.0))
        if cpus:
            self._had_cpus = time.monotonic()
        elif time.monotonic() - self._had_cpus > AUTOSCALE_SECONDS:
            raise FatalError(
                f"no node of the cluster had a CPU for {AUTOSCALE_SECONDS} s, and merges need one; what is merged is "
                "committed, and the same command goes on from there"
            )
        return cpus


def _result(reference: "ObjectRef[Merged]") -> Merged:
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, OSError | FatalError):
            raise error.cause from error
        raise
    except RayError as error:
        raise FatalError(
            f"a merge of files of masks ended {TRIES} times: {describe_error(error)}; what is merged is committed, and "
            "the same command goes on from there"
        ) from error


def _merge(sources: Sequence[Source], settings: MergeSettings) -> Merged:
    """Merge files in an attempt of its own: one that is repeated, or goes on unnoticed, writes elsewhere."""
    attempt = f"{settings.folder}/{uuid.uuid4().hex}"
    scratch.clear_abandoned()
    with storage_policy(settings.storage):
        return attempt, merge_files(sources, storage.join(settings.output, attempt, "masks.parquet"))[0]
