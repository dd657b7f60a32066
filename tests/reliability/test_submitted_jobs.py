"""Promise: a run is submitted to a cluster with `ray job submit`, with its token alone. Its log and code come back;
after `ray job stop` the same submission goes on from there, and loses nothing."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from jobs.ledger.ledger import Ledger
from tests.parts import VIDEOS, ray_command
from tests.reliability.grouped_archive import at_long, check_whole
from tests.reliability.processes import wait_for
from tests.reliability.test_stopping import END_SECONDS, check_handed_over, has_ended

JOB_SECONDS = 500  # on a busy machine


def ray_job(
    cluster: str, verb: str, *options: str, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    command = [ray_command(), "job", verb, "--address", cluster, *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=JOB_SECONDS, env=environment or os.environ
    )


def submit(cluster: str, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Submit `stcn` as a job, and wait for its end."""
    job = ["--submission-id", name, "--", sys.executable, "-m", "jobs", *arguments]
    return ray_job(cluster, "submit", *job)


@pytest.fixture(scope="module")
def jobs_cluster(ray_cluster: str) -> str:
    """The dashboard's URL of a cluster that takes jobs; one that has just started takes none yet."""
    wait_for(lambda: submit(ray_cluster, f"first-{os.getpid()}-{os.urandom(4).hex()}", "--version").returncode == 0)
    return ray_cluster


def test_submitted_run_ends_with_its_log_and_code(
    jobs_cluster: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    run = ["segment", *map(str, (archive / "manifest.csv", tmp_path / "out", "--model", model_file)), "--actors", "1"]
    good = submit(jobs_cluster, f"good-{tmp_path.name}", *run, "--only", "a")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "1 videos: 1 done" in good.stdout
    all_of_them = submit(jobs_cluster, f"all-{tmp_path.name}", *run)  # video d is broken: stcn's own code is 3
    assert all_of_them.returncode == 1, all_of_them.stdout + all_of_them.stderr
    log = ray_job(jobs_cluster, "logs", f"all-{tmp_path.name}").stdout
    assert f"{len(VIDEOS)} videos: {len(VIDEOS) - 1} done" in log
    assert "exit code 3" in ray_job(jobs_cluster, "status", f"all-{tmp_path.name}").stdout


def test_job_that_was_stopped_and_submitted_again_loses_nothing(
    jobs_cluster: str, groups: Path, segment_groups: list[str], tmp_path: Path
) -> None:
    output, name = segment_groups[2], f"stopped-{tmp_path.name}"
    job = ["--no-wait", "--submission-id", name, "--", sys.executable, "-m", "jobs", *segment_groups]
    started = ray_job(jobs_cluster, "submit", *job)
    assert started.returncode == 0, started.stdout + started.stderr
    group, actor = wait_for(at_long(groups))
    stopped = ray_job(jobs_cluster, "stop", name)
    assert "was stopped" in stopped.stdout, stopped.stdout + stopped.stderr
    wait_for(lambda: has_ended(actor), END_SECONDS)
    check_handed_over(output, group)
    before = Ledger(output).videos
    again = submit(jobs_cluster, f"again-{tmp_path.name}", *segment_groups)
    assert again.returncode == 0, again.stdout + again.stderr
    check_whole(output)
    assert before.items() <= Ledger(output).videos.items()


@pytest.mark.parametrize(
    "token",
    [{"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}],
    ids=["no token", "another token"],
)
def test_job_without_the_cluster_s_token_is_refused(ray_cluster: str, token: dict[str, str], tmp_path: Path) -> None:
    others = {name: value for name, value in os.environ.items() if name not in ("RAY_AUTH_TOKEN", "RAY_ADDRESS")}
    mark = tmp_path / "was-here"
    environment = {**others, "HOME": str(tmp_path), **token}
    refused = ray_job(ray_cluster, "submit", "--no-wait", "--", "touch", str(mark), environment=environment)
    assert refused.returncode != 0
    said = refused.stdout + refused.stderr
    assert "AuthenticationError" in said, said
    assert not mark.exists()


def test_health_check_of_kuberay_needs_no_token(ray_cluster: str) -> None:
    with urllib.request.urlopen(f"{ray_cluster}/api/gcs_healthz", timeout=10) as reply:
        assert b"success" in reply.read()
