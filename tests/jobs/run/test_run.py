"""The whole job, as a user runs it: the command, real video files, a real Ray cluster, real kills."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs.io import storage
from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from tests.jobs.ledger.records import record_locations
from tests.lengths import short_and_long
from tests.parts import VIDEOS, in_cluster, ray_command, stcn
from tests.preloaded.process import Process

DONE = {video.video_id: video for video in VIDEOS if not video.broken}


def options(model_file: Path) -> list[str | Path]:
    """One thread each, so that any number of actors computes the same bits."""
    return ["--model", model_file, "--threads-per-actor", "1"]


def digest(output: str) -> str:
    """Of all rows, in order: equal for equal masks, however they are spread over files."""
    rows = sorted(json.dumps(row, sort_keys=True) for table in store.read_masks(output) for row in table.to_pylist())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def videos(output: str) -> dict[str, Any]:
    return {row.video_id: row for row in store.read_videos(f"{output}/{store.VIDEOS_FILE}")}


@pytest.fixture(scope="module")
def undisturbed(ray_cluster: str, archive: Path, model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run to the end; two actors."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    result = stcn("segment", archive / "manifest.csv", output, *options(model_file), "--actors", "2")
    assert result.returncode == 3, result.stderr
    return output


def test_a_run_segments_every_video_and_reports_the_broken_one(undisturbed: Path) -> None:
    rows = videos(str(undisturbed))
    assert list(rows) == [video.video_id for video in VIDEOS]
    for video_id, video in DONE.items():
        row = rows[video_id]
        assert (row.status, row.frames_expected, row.frames_decoded) == ("done", video.frames, video.frames)
        assert (row.height, row.width, row.objects) == (video.height, video.width, video.objects)
        assert row.attempts == 1
        assert row.seconds > 0
    assert (rows["d"].status, rows["d"].error_class) == ("quarantined", "VideoError")
    assert "cannot be opened" in rows["d"].error_message

    tables = {info.location: pq.read_table(info.location) for info in storage.find(f"{undisturbed}/masks")}
    found = {video_id: table for table in tables.values() for video_id in set(table["video_id"].to_pylist())}
    assert set(found) == set(DONE)
    for location, table in tables.items():
        keys = [(r["video_id"], r["frame_index"], r["object_id"]) for r in table.to_pylist()]
        assert keys == sorted(set(keys)), location
        assert {rows[video_id].masks_file for video_id in set(table["video_id"].to_pylist())} == {Path(location).name}
    assert sum(len(table) for table in tables.values()) == sum(row.masks or 0 for row in rows.values())
    assert not storage.find(f"{undisturbed}/_attempts")


def test_run_record_and_status_describe_the_run(undisturbed: Path, model_file: Path) -> None:
    info = store.run_info(str(undisturbed))
    assert info["model"]["sha256"] == hashlib.sha256(model_file.read_bytes()).hexdigest()
    assert info["propagation"]["memory_every"] == 5
    assert info["videos"] == len(VIDEOS)
    status = stcn("status", undisturbed)
    assert status.returncode == 0
    assert "5 videos: 4 done, 1 quarantined, 0 pending; 38 frames" in status.stdout
    assert "  d: VideoError: cannot be opened" in status.stdout


def test_the_same_command_again_does_nothing(
    undisturbed: Path, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    output = shutil.copytree(undisturbed, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (output / "masks").iterdir()}
    result = stcn("segment", archive / "manifest.csv", output, *options(model_file))
    assert result.returncode == 3
    assert {path: path.stat().st_mtime_ns for path in (output / "masks").iterdir()} == before
    assert "progress" not in result.stderr
    plan = stcn("plan", archive / "manifest.csv", output, "--model", model_file)
    assert plan.stdout.splitlines() == ["5 videos: 4 done, 1 quarantined; 0 shards to do"]


def test_only_changed_videos_are_done_again(undisturbed: Path, archive: Path, model_file: Path, tmp_path: Path) -> None:
    """A repaired video with --retry-failed, and a video with another prompt; the rest stays."""
    changed = shutil.copytree(archive, tmp_path / "archive")
    output = tmp_path / "out"
    stcn("segment", changed / "manifest.csv", output, "--model", model_file)
    before = videos(str(output))
    shutil.copy(changed / "videos/a.mp4", changed / "videos/d.mp4")
    shutil.copy(changed / "prompts/e/00000.png", changed / "prompts/a/00000.png")
    result = stcn("segment", changed / "manifest.csv", output, "--model", model_file)
    assert result.returncode == 0, result.stderr
    after = videos(str(output))
    assert {v for v in after if after[v].work_id != before[v].work_id} == {"a", "d"}
    assert after["a"].objects == 3
    masks = [row for table in store.read_masks(str(output)) for row in table.to_pylist()]
    keys = [(r["video_id"], r["frame_index"], r["object_id"]) for r in masks]
    assert len(keys) == len(set(keys)) == sum(row.masks or 0 for row in after.values())


def test_one_actor_gives_the_same_rows_as_two(
    undisturbed: Path, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    stcn("segment", archive / "manifest.csv", tmp_path / "out", *options(model_file), "--actors", "1")
    assert digest(str(tmp_path / "out")) == digest(str(undisturbed))


@short_and_long("kill", short=[signal.SIGKILL], long=[signal.SIGINT, signal.SIGTERM])
def test_killed_run_resumes_to_the_same_masks(
    kill: signal.Signals, undisturbed: Path, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    output = str(tmp_path / "out")
    command = ["segment", str(archive / "manifest.csv"), output, *map(str, options(model_file))]
    with Process("-m", "jobs", *command) as process:
        deadline = time.monotonic() + 120
        while len(record_locations(output)) < 2:  # until something, but not all, is committed
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(kill)
        process.wait(60)
    if kill is signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130, process.errors()
        assert "the same command goes on from there" in process.errors()
        statuses = {row.status for row in videos(output).values()}
        assert "pending" in statuses
        assert statuses & {"done", "quarantined"}  # what was committed first depends on the videos' ids
    committed = len(Ledger(output).videos)
    assert 0 < committed < len(VIDEOS)
    assert "pending" in stcn("status", output).stdout

    result = stcn(*command)
    assert result.returncode == 3, result.stderr
    assert digest(output) == digest(str(undisturbed))
    assert {row.status for row in videos(output).values()} == {"done", "quarantined"}
    leftovers = [path for path in Path(output).rglob("*") if path.is_file() and "_attempts" in path.parts]
    assert not leftovers


def test_an_interrupt_between_commit_and_publishing_loses_nothing(
    undisturbed: Path, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    script = """
from jobs.cli import __main__ as cli
from jobs.io import storage
def interrupt(source, target):
    raise KeyboardInterrupt
storage.copy = interrupt
cli.main()
"""
    output = str(tmp_path / "out")
    command = ["segment", str(archive / "manifest.csv"), output, *map(str, options(model_file))]
    with Process("-c", script, *command) as interrupted:
        assert interrupted.wait(120) == 130
    assert len(Ledger(output).files) == 1
    assert not storage.find(f"{output}/masks")
    result = stcn(*command)
    assert result.returncode == 3
    assert "made again" not in result.stderr
    assert digest(output) == digest(str(undisturbed))
    assert not list(Path(output, "_attempts").rglob("*.parquet"))


def test_masks_and_videos_in_s3_by_ray_job_submit(
    ray_cluster: str, bucket: str, undisturbed: Path, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    """As on a cluster: the job is submitted, and everything it reads and writes is in a bucket."""
    for path in sorted(archive.rglob("*")):
        if path.is_file() and "truth" not in path.parts:
            storage.write(f"{bucket}/{path.relative_to(archive)}", path.read_bytes())
    storage.write(f"{bucket}/tiny.safetensors", model_file.read_bytes())
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    command = [
        ray_command(), "job", "submit", "--address", ray_cluster,
        "--runtime-env-json", json.dumps({"env_vars": environment}), "--",
        sys.executable, "-m", "jobs", "segment", f"{bucket}/manifest.csv", f"{bucket}/out",
        "--model", f"{bucket}/tiny.safetensors", "--actors", "2", "--threads-per-actor", "1",
    ]  # fmt: skip
    for _ in range(60):  # Ray's head answers before it takes jobs
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if "No available agent" not in result.stderr:
            break
    assert result.returncode == 1, result.stdout + result.stderr  # Ray's word for an exit code that is not 0
    assert "5 videos: 4 done, 1 quarantined, 0 pending" in result.stdout
    assert digest(f"{bucket}/out") == digest(str(undisturbed))
    rows = videos(f"{bucket}/out")
    assert {row.video for row in rows.values()} == {f"{bucket}/videos/{name}.mp4" for name in "abcde"}
    status = stcn("status", f"{bucket}/out")
    assert "4 done, 1 quarantined" in status.stdout


# Storage is asked only once an actor is on a node; else this would wait for ever.
LATE_STORAGE = """
import time
import ray
from jobs.actors.actor_group import ActorGroup
from jobs.cli import __main__ as cli
from jobs.planning import job
from jobs.run import actor_start

groups, identify = [], job.identify

def started(*parts, **settings):
    groups.append(ActorGroup(*parts, **settings))
    return groups[-1]

def ask(*terms, **others):
    while not groups:
        time.sleep(0.1)
    ray.get([actor.placing for actor in groups[0]])
    return identify(*terms, **others)

actor_start.LONG_PLAN_VIDEOS, actor_start.ActorGroup, job.identify = 2, started, ask
cli.main()
"""


def test_actors_start_while_storage_is_asked_for_a_long_plan(
    undisturbed: Path, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    output = str(tmp_path / "out")
    with Process(
        "-c", LATE_STORAGE, "segment", archive / "manifest.csv", output, *options(model_file), "--actors", "1"
    ) as process:
        assert process.wait(120) == 3, process.errors()
    assert digest(output) == digest(str(undisturbed))


def test_video_that_lies_apart_is_asked_for_again_with_recheck(
    bucket: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    """A single video in a bucket has no neighbours that would share a request."""
    (prompt,) = (archive / "prompts/a").iterdir()
    storage.write(f"{bucket}/{prompt.name}", prompt.read_bytes())
    storage.write(f"{bucket}/v.mp4", (archive / "videos/a.mp4").read_bytes())
    (tmp_path / "m.csv").write_text(f"video_id,video,prompts\nv,{bucket}/v.mp4,{bucket}/{prompt.name}\n")
    output = str(tmp_path / "out")
    command = ("segment", tmp_path / "m.csv", output, "--model", model_file, "--threads-per-actor", "1")
    environment = in_cluster("")  # the runs' own, whose actors know the store
    assert stcn(*command, env=environment).returncode == 0
    first = videos(output)["v"]
    storage.write(f"{bucket}/v.mp4", (archive / "videos/e.mp4").read_bytes())
    note = "1 of 1 done videos lie apart from others in storage and were not asked for again; --recheck asks for all"
    assert note in stcn("plan", *command[1:5]).stdout
    believed = stcn(*command, env=environment)
    assert (believed.returncode, note in believed.stderr, videos(output)["v"]) == (0, True, first)
    rechecked = stcn(*command, "--recheck", env=environment)
    assert (rechecked.returncode, note in rechecked.stderr) == (0, False), rechecked.stderr
    assert videos(output)["v"].work_id != first.work_id
    assert "recheck" not in json.loads(Path(output, "run.json").read_text())["config"]
