"""The live document of a run: written while it is at work, marked when it ends, and never the reason of an end."""

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import ExitCode, UserError
from jobs.io import storage
from jobs.records import VideoFinished
from jobs.watching import live_file as writing
from jobs.watching.live_document import LIVE_FILE, location
from jobs.watching.live_reporter import LiveReporter
from jobs.watching.progress import Counts
from tests.jobs.scheduling.shards import item, row
from tests.jobs.watching.live_runs import counts, live_file, reporter, told, worker
from tests.reliability.processes import wait_for


def document(output: str | Path) -> dict[str, Any]:
    return dict(json.loads(storage.read(location(str(output)))))


def told_after(display: LiveReporter, given: Counts, output: Path) -> dict[str, Any] | None:
    """The document once it has counts; as the driver's loop does, this gives them at each turn."""
    display.update(given)
    return document(output) if document(output)["videos"] else None


def test_the_document_follows_the_run_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "INTERVAL_SECONDS", 0.05)
    with live_file(str(tmp_path)) as live:
        assert told(tmp_path, "starting")["videos"] is None
        live.enter("segmenting")
        display, given = reporter(live, [worker(1, frames=30), worker(2)]), counts()
        failed = VideoFinished(row(item("bad"), "quarantined", error_class="VideoError", error_message="cut off"))
        display.take("attempt-2", failed)
        shown = wait_for(lambda: told_after(display, given, tmp_path), 10)
        live.exit_code = ExitCode.FAILURES
    assert (shown["state"], shown["done"], shown["left"], shown["actors_up"]) == ("segmenting", 100, 1898, 2)
    first, second = shown["workers"]
    assert (first["video_id"], first["frames"], first["frames_expected"]) == ("v1-0", 30, 100)
    assert first["node"] == "10.0.0.1 (node-1)"
    assert (first["last_error"], second["last_error"]["video_id"]) == (None, "bad")
    assert shown["last_error"]["message"] == "cut off"
    ended = document(tmp_path)
    assert (ended["state"], ended["exit_code"], ended["workers"]) == ("ended", ExitCode.FAILURES, [])
    assert ended["sequence"] > shown["sequence"]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("no such model"), ExitCode.USAGE, "UserError: no such model"),
        (OSError("gone"), ExitCode.FATAL, "OSError: gone"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, None),
    ],
)
def test_an_error_is_noted_with_the_code_of_the_command(
    tmp_path: Path, error: BaseException, code: ExitCode, words: str | None
) -> None:
    with pytest.raises(type(error)), live_file(str(tmp_path)):
        raise error
    assert (document(tmp_path)["exit_code"], document(tmp_path)["error"]) == (code, words)


def test_a_location_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    Path(tmp_path, LIVE_FILE, "in the way").mkdir(parents=True)
    with live_file(str(tmp_path)) as live:
        wait_for(lambda: live.trouble, 10)
    assert LIVE_FILE in (live.trouble or "")


def test_a_run_that_was_taken_over_leaves_the_document_to_the_other(tmp_path: Path) -> None:
    with live_file(str(tmp_path), "second"):
        told(tmp_path, "starting")
        with live_file(str(tmp_path), "first", is_ours=False):
            pass
        assert document(tmp_path)["run"] == "second"


def test_actors_of_a_run_that_merges_files_are_not_shown_as_at_work(tmp_path: Path) -> None:
    with live_file(str(tmp_path)) as live:
        reporter(live, [worker(1)]).show(counts())
        live.enter("compacting")
        assert [told(tmp_path, "compacting")[name] for name in ("done", "workers")] == [100, []]
