"""Promise: a run is seen from elsewhere by its output alone, and one that was killed is not shown as at work. That it
cannot be seen ends no run."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from jobs.ledger.ledger import Ledger
from jobs.watching.live_document import LIVE_FILE
from jobs.watching.live_file import LiveFile
from tests.parts import stcn
from tests.reliability.grouped_archive import LONG, at_long, check_whole
from tests.reliability.processes import started, wait_for
from tests.stores.faults import ACCESS_DENIED, FaultProxy, only

NO_CLUSTER = ""  # `segment` starts Ray


def status(output: str) -> dict[str, Any]:
    """What `stcn status --json` says."""
    result = stcn("status", output, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    return dict(json.loads(result.stdout))


def on_a_long_video(output: str) -> dict[str, Any] | None:
    """What a run says of itself, once it says that an actor is on such a video."""
    path = Path(output, LIVE_FILE)
    said = dict(json.loads(path.read_text())) if path.exists() else {}
    is_seen = any((actor["video_id"] or "").endswith(LONG) for actor in said.get("workers", ()))
    return said if is_seen else None


def test_a_run_is_seen_until_it_ends_or_is_killed(groups: Path, segment_groups: list[str]) -> None:
    output = segment_groups[2]
    watching = ["status", output, "--watch", "--interval", "1"]
    with started(segment_groups, NO_CLUSTER) as run:
        wait_for(at_long(groups))
        wait_for(lambda: Ledger(output).videos)
        _, actor = wait_for(at_long(groups))
        os.kill(actor, signal.SIGSTOP)  # a document comes every 10 s: the run must not be over before
        said = wait_for(lambda: on_a_long_video(output))
        with started(watching) as quiet, started([*watching, "--json"]) as watcher:
            seen = status(output)
            wait_for(quiet.output)
            quiet.send_signal(signal.SIGINT)
            assert (quiet.wait(30), quiet.errors()) == (130, "")
            wait_for(watcher.output)
            os.kill(actor, signal.SIGCONT)
            run.kill()
            assert (watcher.wait(30), watcher.errors()) == (1, "")
            lines = [json.loads(line) for line in watcher.output().splitlines()]
    assert seen["committed"]["done"] >= said["done"]
    assert (seen["run"]["run"], seen["run"]["actors_up"], seen["run"]["nodes"]) == (said["run"], 1, 1)
    assert (lines[0]["run"]["state"], lines[-1]["run"]["state"]) == ("segmenting", "gone")
    assert {actor["state"] for actor in lines[-1]["run"]["workers"]} == {"silent"}
    assert "its process ended without a word" in stcn("status", output).stdout

    with started(segment_groups, NO_CLUSTER) as again:
        wait_for(lambda: json.loads(Path(output, LIVE_FILE).read_text())["run"] != said["run"])
        with started([*watching, "--json"]) as watcher:
            assert again.wait(200) == 0, again.errors()
            assert (watcher.wait(30), watcher.errors()) == (0, "")
            last = json.loads(watcher.output().splitlines()[-1])
    assert (last["run"]["state"], last["run"]["exit_code"]) == ("ended", 0)
    assert last["committed"]["done"] == len(Ledger(output).videos)
    check_whole(output)


def test_a_run_whose_live_document_cannot_be_written_goes_on(
    ray_cluster: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    Path(tmp_path, LIVE_FILE, "in the way").mkdir(parents=True)
    result = stcn("segment", archive / "manifest.csv", tmp_path, "--model", model_file, "--actors", "1")
    assert result.returncode == 3, result.stderr
    assert "`stcn status` cannot show for now what this run is at" in result.stderr
    assert "the run goes on" in result.stderr
    assert status(str(tmp_path))["committed"]["done"] == 4


def test_a_store_that_refuses_the_document_ends_nothing(bucket: str, proxy: FaultProxy) -> None:
    proxy.inject(ACCESS_DENIED, matching=only("PUT", LIVE_FILE))
    process = {"pid": 1, "host": "here", "machine": "another"}
    with LiveFile(bucket, "r", process, is_ours=lambda: True) as live:
        wait_for(lambda: live.trouble, 30)
    assert "Access Denied" in (live.trouble or "")
    assert {request.fault for request in proxy.requests if request.method == "PUT"} == {ACCESS_DENIED}
