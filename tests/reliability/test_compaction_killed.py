"""Promise: `kill -9` of a merging process, of its node's raylet, or of `stcn compact` itself costs no mask."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from tests.architecture.source import ROOT
from tests.reliability.nodes import SHORT_HEALTH_CHECK, Nodes
from tests.reliability.processes import actor_processes, raylet_of, started, wait_for
from tests.reliability.small_run import digest, verified

FILES = 40  # of 1.6 MB: their merge takes two seconds and more


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with Nodes(2, **SHORT_HEALTH_CHECK) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of files as shards leave them."""
    folder = tmp_path_factory.mktemp("shards")
    command = [sys.executable, "infra/scale/made_outputs.py", "shards", f"{folder}/out", f"{folder}/m.parquet"]
    subprocess.run([*command, str(FILES)], cwd=ROOT, check=True)
    return folder / "out"


@pytest.mark.parametrize("victim", ["worker", "raylet", "command"])
def test_what_is_killed_during_a_merge_is_made_up_for(victim: str, shards: Path, nodes: Nodes, tmp_path: Path) -> None:
    output, expected = str(tmp_path / "out"), digest(str(shards))
    shutil.copytree(shards, output)
    with started(["compact", output], nodes.address) as command:
        worker = wait_for(lambda: next(_mergers(nodes), None))
        if victim == "command":
            os.kill(command.pid, signal.SIGKILL)
            command.wait(60)
            assert digest(output) == expected
            assert len(store.mask_files(output)) == FILES
        else:
            nodes.kill(raylet_of(worker) if victim == "raylet" else worker)
            assert command.wait(120) == 0, command.errors()
            assert ": 40 of" in command.output()
    if victim == "command":
        with started(["compact", output], nodes.address) as again:
            assert again.wait(120) == 0, again.errors()
    assert digest(output) == expected
    assert len(store.mask_files(output)) == 1
    assert not any(Path(output, "_attempts").rglob("*.parquet"))
    verified(output)
    assert len(set(Ledger(output).videos.masks_files())) == 1


def _mergers(nodes: Nodes) -> Iterator[int]:
    """The processes of this cluster that merge."""
    for pid in actor_processes("ray::_merge"):
        with contextlib.suppress(psutil.Error):
            if raylet_of(pid) in nodes.alive():
                yield pid
