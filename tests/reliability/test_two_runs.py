"""Promise: of two runs on one output, the second says who holds it; and create-only writes have one winner, always."""

import json
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.io import storage
from jobs.ledger import run_lock
from tests.lengths import short_and_long
from tests.parts import stcn
from tests.preloaded.process import Process
from tests.reliability.small_run import verified

AT_A_TIME = 8


@pytest.fixture(params=["local", "s3"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else str(request.getfixturevalue("bucket"))


@short_and_long("races", short=[50], long=[1000])
def test_every_race_of_creating_writers_has_one_winner(races: int, base: str) -> None:
    """2 to 8 writers each, of contents of their own; the file is the winner's."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    writers = [[f"{number}-{writer}".encode() for writer in range(chance.randint(2, 8))] for number in range(races)]

    def race(number: int) -> None:
        location, contents = f"{base}/log/{number:08d}", writers[number]
        with ThreadPoolExecutor(len(contents)) as threads:
            won = list(threads.map(lambda content: storage.create(location, content), contents))
        assert sum(won) == 1, f"race {number} of seed {seed}: {won}"
        assert storage.read(location) == contents[won.index(True)]

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(race, range(races)))


@pytest.mark.usefixtures("ray_cluster")
def test_the_second_run_says_who_holds_the_output(archive: Path, model_file: Path, tmp_path: Path) -> None:
    """The first is stopped in its middle, and is alive; killed, it holds nothing any more."""
    output = str(tmp_path / "out")
    command = ["segment", str(archive / "manifest.csv"), output, "--model", str(model_file)]
    with Process("-m", "jobs", *command) as first:
        deadline = time.monotonic() + 60
        while not Path(output, run_lock.LOCK_FILE).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(first.pid, signal.SIGSTOP)
        refused = stcn(*command)
        assert refused.returncode == 2
        assert f"process {first.pid} of " in refused.stderr
        assert "wait for it, or stop it" in refused.stderr
    assert stcn(*command).returncode == 3
    verified(output)


def test_lock_without_heartbeat_from_another_machine_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(run_lock, "HEARTBEAT_SECONDS", 0.5)
    me = run_lock.describe_process()
    elsewhere = {"run": "old", **me, "machine": "another", "host": "far"}
    storage.write(f"{tmp_path}/{run_lock.LOCK_FILE}", json.dumps(elsewhere).encode())
    with run_lock.run_lock(str(tmp_path), "new", me):
        assert json.loads(storage.read(f"{tmp_path}/{run_lock.LOCK_FILE}"))["run"] == "new"
    assert not storage.exists(f"{tmp_path}/{run_lock.LOCK_FILE}")


def test_lock_with_a_heartbeat_from_another_machine_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "SILENCE_SECONDS", 10.0)
    monkeypatch.setattr(run_lock, "HEARTBEAT_SECONDS", 0.5)
    with (
        run_lock.run_lock(str(tmp_path), "first", {**run_lock.describe_process(), "machine": "another", "host": "far"}),
        pytest.raises(UserError, match="held by the run first: process .* on far"),
        run_lock.run_lock(str(tmp_path), "second", run_lock.describe_process()),
    ):
        pass
