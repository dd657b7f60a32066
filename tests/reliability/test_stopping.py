"""Promise: stopping is clean. On SIGTERM, `ray job stop` and a draining node the video at work is dropped, what is
finished of its shard is committed, the process ends in under 10 s, and the same command goes on from there."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.outputs import store
from jobs.outputs.ledger import Ledger
from tests.parts import ray_command, stcn
from tests.reliability.processes import parent_of, readers_of, wait_for
from tests.reliability.small_run import verified

SHORTS, LONG = ("a", "b", "c"), "z"  # of each group, in the order in which they are done
GROUPS = 4  # a shard each, for one actor
END_SECONDS = 10


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shards: in each a few videos that are over at once, and one that takes seconds. The groups are equal."""
    drawn = tmp_path_factory.mktemp("drawn")
    short = DrawnVideo("short", 1, 6, 48, 64, Fraction(24), objects=1)
    draw_archive([short, DrawnVideo("long", 2, 900, 48, 64, Fraction(24), objects=2)], drawn)
    folder = tmp_path_factory.mktemp("archive")
    (folder / "videos").mkdir()
    lines = ["video_id,video,prompts"]
    for video_id in (f"{group}{name}" for group in range(GROUPS) for name in (*SHORTS, LONG)):
        source = "long" if video_id.endswith(LONG) else "short"
        shutil.copy(drawn / f"videos/{source}.mp4", folder / f"videos/{video_id}.mp4")
        lines.append(f"{video_id},videos/{video_id}.mp4,{drawn}/prompts/{source}")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture
def command(archive: Path, model_file: Path, tmp_path: Path) -> list[str]:
    options = ["--model", str(model_file), "--threads-per-actor", "1", "--actors", "1"]
    return ["segment", str(archive / "manifest.csv"), str(tmp_path / "out"), *options]


def at_long(archive: Path) -> Callable[[], tuple[str, int] | None]:
    """Looks for the group whose long video is open, and the process that has it open: its short ones are finished."""

    def look() -> tuple[str, int] | None:
        found = ((str(g), pid) for g in range(GROUPS) for pid in readers_of(archive / f"videos/{g}{LONG}.mp4"))
        return next(found, None)

    return look


def check_handed_over(output: str, group: str) -> None:
    """The short videos of the group count, in one file; the long one does not."""
    ledger = Ledger(output)
    assert set(ledger.videos) == {group + name for name in SHORTS}
    assert {row.status for row in ledger.videos.values()} == {"done"}
    assert len({row.masks_file for row in ledger.videos.values()}) == 1
    verified(output)


def check_goes_on(output: str, command: list[str]) -> None:
    """The same command does the rest, and only the rest."""
    before = Ledger(output).videos
    result = stcn(*command)
    assert result.returncode == 0, result.stderr
    check_whole(output)
    assert before.items() <= Ledger(output).videos.items()


def check_whole(output: str) -> None:
    """Every video is done, at its first try, and videos of equal content have equal masks."""
    assert verified(output).rows["done"] == GROUPS * (len(SHORTS) + 1)
    assert {row.attempts for row in store.read_videos(f"{output}/{store.VIDEOS_FILE}")} == {1}
    masks: dict[str, list[str]] = {}
    for table in store.read_masks(output):
        for row in table.to_pylist():
            masks.setdefault(row.pop("video_id"), []).append(json.dumps(row, sort_keys=True))
    contents = {(name[1:] == LONG, "\n".join(sorted(rows))) for name, rows in masks.items()}
    assert len(contents) == 2


def test_sigterm(archive: Path, command: list[str]) -> None:
    process = subprocess.Popen([sys.executable, "-m", "jobs.cli", *command], stderr=subprocess.PIPE, text=True)
    group, actor = wait_for(at_long(archive))
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=END_SECONDS)
    assert process.returncode == 130, errors
    assert "the same command goes on from there" in errors
    wait_for(lambda: not Path(f"/proc/{actor}").exists(), END_SECONDS)
    check_handed_over(command[2], group)
    assert not any(Path(command[2], "_attempts").rglob("*"))
    check_goes_on(command[2], command)


def test_ray_job_stop(ray_cluster: str, archive: Path, command: list[str], tmp_path: Path) -> None:
    """Ray ends the driver by SIGTERM, and three seconds later by SIGKILL."""
    job = [ray_command(), "job", "{}", "--address", ray_cluster]
    submit = [*job, "--no-wait", "--submission-id", tmp_path.name, "--", sys.executable, "-m", "jobs.cli", *command]
    submit[2] = "submit"
    wait_for(lambda: subprocess.run(submit, capture_output=True, check=False).returncode == 0)  # it takes none at first
    group, actor = wait_for(at_long(archive))
    stop = [*job, tmp_path.name]
    stop[2] = "stop"
    stopped = subprocess.run(stop, capture_output=True, text=True, check=False, timeout=60)
    assert "was stopped" in stopped.stdout, stopped.stdout + stopped.stderr
    wait_for(lambda: not Path(f"/proc/{actor}").exists(), END_SECONDS)
    check_handed_over(command[2], group)
    check_goes_on(command[2], command)


# Two nodes for one actor, and a head that takes none. In a process of its own: see tests/jobs/actors/test_nodes.py.
NODES = """
import json, os, sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
nodes = [cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20) for _ in range(2)]
raylets = {node.all_processes["raylet"][0].process.pid: node.node_id for node in nodes}
print(json.dumps({"address": cluster.address, "nodes": raylets}), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, str]]:
    """Process ids of raylets, and the ids of their nodes. Meanwhile RAY_ADDRESS leads to them."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    cluster = subprocess.Popen([sys.executable, "-c", NODES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert cluster.stdin
    assert cluster.stdout
    try:
        found = json.loads(next(line for line in cluster.stdout if line.startswith("{")))
        monkeypatch.setenv("RAY_ADDRESS", found["address"])
        yield {int(pid): node for pid, node in found["nodes"].items()}
    finally:
        cluster.stdin.close()
        cluster.wait(60)


def test_a_draining_node(nodes: dict[int, str], archive: Path, command: list[str]) -> None:
    """What its actor has finished is committed, and the rest is done elsewhere, charged to nobody."""
    process = subprocess.Popen([sys.executable, "-m", "jobs.cli", *command], stderr=subprocess.PIPE, text=True)
    group, actor = wait_for(at_long(archive))
    drained = parent_of(actor)
    drain = [
        ray_command(), "drain-node", "--address", os.environ["RAY_ADDRESS"], "--node-id", nodes[drained],
        "--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "a test", "--deadline-remaining-seconds", "600",
    ]  # fmt: skip
    subprocess.run(drain, check=True, capture_output=True)
    wait_for(lambda: Ledger(command[2]).videos)
    check_handed_over(command[2], group)
    wait_for(lambda: not Path(f"/proc/{actor}").exists(), END_SECONDS)
    _, other = wait_for(at_long(archive))
    assert parent_of(other) != drained
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    check_whole(command[2])
