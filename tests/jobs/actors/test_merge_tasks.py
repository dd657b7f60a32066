"""Merges on a cluster that has no processor for them end, and say so."""

from typing import Any

import pytest
import ray

from jobs.actors import merge_tasks
from jobs.actors.merge_tasks import MergeSettings, MergeTasks
from jobs.errors import FatalError
from jobs.io.storage_policy import StoragePolicy
from jobs.planning.merge_plan import StoredFile


class Waiting:
    """A task that no node has room for."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object) -> "Waiting":
        return self

    def remote(self, *_: object) -> "Waiting":
        return Waiting()


def test_merges_that_no_node_has_a_cpu_for_end_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = list[object]()
    answers: dict[str, Any] = {
        "cluster_resources": lambda: {"memory": 1.0}, "remote": Waiting, "wait": lambda *_, **__: ([], []),
        "cancel": lambda task, **_: cancelled.append(task),
    }  # fmt: skip
    for name, answer in answers.items():
        monkeypatch.setattr(ray, name, answer)
    monkeypatch.setattr(merge_tasks, "AUTOSCALE_SECONDS", 0.2)
    tasks = MergeTasks(MergeSettings(output="out", folder="attempts", storage=StoragePolicy()))
    group = [StoredFile(name="a", num_bytes=1, first_video="a")]
    with pytest.raises(FatalError, match=r"no node of the cluster had a CPU for 0\.2 s.* goes on from there"):
        list(tasks.run([(group, [])]))
    assert len(cancelled) == 1
