"""The status of an output, of committed and running work: one document, and the same in words."""

import json
from pathlib import Path

import pytest

from jobs.errors import ExitCode, UserError
from jobs.watching.live_document import LIVE_FILE
from jobs.watching.output_status import OutputStatus, StatusReader
from tests.jobs.watching.live_runs import counts, live_file, reporter, told, worker
from tests.reliability.small_run import FIRST, THEN, SmallRun


@pytest.fixture
def output(tmp_path: Path) -> str:
    """Of a run that has ended, without a live document, as earlier versions leave it."""
    made = f"{tmp_path}/out"
    SmallRun(made, tmp_path / "files").run(THEN, "r")
    return made


def read_at_work(output: str) -> OutputStatus:
    """The status while a run of this process is at work."""
    with live_file(output) as live:
        reporter(live, [worker(1)]).show(counts())
        live.enter("segmenting")
        told(output, "segmenting")
        return StatusReader(output).read()


def test_an_output_without_a_live_document_has_its_committed_work(output: str) -> None:
    status = StatusReader(output).read()
    document = json.loads(json.dumps(status.as_dict()))
    assert list(document) == ["schema", "output", "time", "committed", "run", "last_run"]
    committed = document["committed"]
    assert {name: committed[name] for name in ("videos", "done", "quarantined", "pending")} == {
        "videos": 5, "done": 4, "quarantined": 1, "pending": 0,
    }  # fmt: skip
    assert committed["errors"] == {"VideoError": 1}
    assert [video["video_id"] for video in committed["first_quarantined"]] == ["e"]
    assert document["run"] is None
    assert document["last_run"]["videos"] == 5
    assert status.describe().startswith("5 videos: 4 done, 1 quarantined, 0 pending;")


def test_committed_and_running_work_are_shown_together(output: str) -> None:
    status = read_at_work(output)
    document = json.loads(json.dumps(status.as_dict()))
    assert document["committed"]["done"] == 4
    assert (document["run"]["state"], document["run"]["done"], document["run"]["left"]) == ("segmenting", 100, 1898)
    (actor,) = document["run"]["workers"]
    assert (actor["video_id"], actor["frames"], actor["phase"]) == ("v1-0", 50, "forward pass")
    text = status.describe()
    assert "4 done" in text
    assert "1 actor up on 1 node" in text


def test_a_run_before_its_plan_is_written_is_shown_without_committed_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        StatusReader(str(tmp_path)).read()
    status = read_at_work(str(tmp_path))
    assert status.as_dict()["committed"] is None
    assert status.describe().startswith("run r, process ")


def test_only_a_run_that_failed_is_told_once_it_has_ended(output: str) -> None:
    with live_file(output) as live:
        live.exit_code = ExitCode.FAILURES
    assert "exit code" not in StatusReader(output).read().describe()
    with pytest.raises(OSError, match="gone"), live_file(output):
        raise OSError("storage is gone")
    assert "it ended by OSError: storage is gone" in StatusReader(output).read().describe()


def test_a_folder_in_the_place_of_the_document_hides_no_committed_work(output: str) -> None:
    Path(output, LIVE_FILE, "in the way").mkdir(parents=True)
    assert StatusReader(output).read().describe().startswith("5 videos: 4 done")


def test_who_looks_on_reads_committed_work_again_only_if_that_is_cheap(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = StatusReader(output)
    monkeypatch.setattr("jobs.watching.output_status.READ_SHARE", 1e-6)
    before = reader.read().as_dict()["committed"]["videos"]
    SmallRun(output, tmp_path / "files").run({**FIRST, **THEN, "new": "1"}, "s")
    assert reader.read().as_dict()["committed"]["videos"] == before
    assert reader.read(is_last=True).as_dict()["committed"]["videos"] == before + 1
