"""`stcn status --watch`: again and again, until the run ends."""

import contextlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from jobs.errors import ExitCode, FatalError, StorageError
from jobs.io import storage
from jobs.watching import live_file as writing
from jobs.watching import output_status
from jobs.watching import watch as watching
from jobs.watching.live_document import LIVE_FILE
from jobs.watching.watch import watch
from tests.jobs.watching.live_runs import counts, live_file, reporter, told, worker
from tests.reliability.processes import wait_for
from tests.reliability.small_run import THEN, SmallRun

INTERVAL = 0.05


@pytest.fixture
def output(tmp_path: Path) -> str:
    made = f"{tmp_path}/out"
    SmallRun(made, tmp_path / "files").run(THEN, "r")
    return made


@contextlib.contextmanager
def ending(output: str, code: ExitCode, *, once: Callable[[], bool]) -> Iterator[None]:
    """A run that is at work, and ends with this code once something has been seen."""

    def run() -> None:
        with live_file(output) as live:
            reporter(live, [worker(1)]).show(counts())
            live.enter("segmenting")
            live.exit_code = code
            wait_for(once)

    thread = threading.Thread(target=run)
    thread.start()
    told(output, "segmenting")
    yield
    thread.join()


def test_lines_of_json_until_the_run_ends_with_its_code(output: str) -> None:
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        ending(output, ExitCode.FAILURES, once=lambda: out.getvalue().count("\n") >= 2),
    ):
        assert watch(output, INTERVAL, as_json=True) == ExitCode.FAILURES
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) >= 3
    assert [line["run"]["state"] for line in lines] == ["segmenting"] * (len(lines) - 1) + ["ended"]
    assert {line["committed"]["done"] for line in lines} == {4}


def test_a_terminal_shows_one_text_in_place_and_the_status_at_the_end(output: str) -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=200, height=40)
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        ending(output, ExitCode.DONE, once=lambda: terminal.getvalue().count("v1-0 on") >= 2),
    ):
        assert watch(output, INTERVAL, as_json=False, console=console) == ExitCode.DONE
    assert "\x1b[1A" in terminal.getvalue()  # the cursor goes up, to write over what was there
    assert out.getvalue().startswith("5 videos: 4 done")
    assert out.getvalue().count("5 videos") == 1


def test_an_output_on_which_no_run_is_at_work_is_shown_once(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(output, INTERVAL, as_json=True) == ExitCode.DONE
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["run"] is None


def test_storage_that_does_not_answer_for_a_while_ends_nothing(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_status, "READ_SHARE", 1e9)  # committed work is read at each look
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        ending(output, ExitCode.FAILURES, once=lambda: out.getvalue().count("\n") >= 5),
    ):

        def failing(read: Callable[[str], bytes]) -> Callable[[str], bytes]:
            def read_or_fail(location: str) -> bytes:
                if out.getvalue().count("\n") in (1, 3):
                    raise StorageError("no answer")
                return read(location)

            return read_or_fail

        for name in ("read", "read_unchecked"):
            monkeypatch.setattr(storage, name, failing(getattr(storage, name)))
        assert watch(output, INTERVAL, as_json=True) == ExitCode.FAILURES
    assert {json.loads(line)["committed"]["done"] for line in out.getvalue().splitlines()} == {4}


def test_a_run_may_begin_later(
    output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there was no run yet, and where the last one has ended."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", INTERVAL)
    for code in (ExitCode.FAILURES, ExitCode.DONE):
        run = threading.Timer(0.3, lambda name, code: ended(output, name, code), (f"r{code}", code))
        run.start()
        assert watch(output, INTERVAL, as_json=True, wait=60) == code
        run.join()
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["run"]["run"] == f"r{code}"
    with pytest.raises(FatalError, match=r"no run began on .* within 0\.1 s"):
        watch(output, INTERVAL, as_json=True, wait=0.1)


def ended(output: str, name: str, code: ExitCode) -> None:
    """A run that is over at once."""
    with live_file(output, name) as live:
        live.exit_code = code


def test_a_run_that_gives_no_sign_for_long_is_waited_for_no_more(
    output: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "INTERVAL_SECONDS", 0.01)
    with live_file(output) as live:
        live.enter("segmenting")
        document = told(output, "segmenting")
    document["driver"]["machine"] = "another"
    Path(output, LIVE_FILE).write_text(json.dumps(document))
    assert watch(output, INTERVAL, as_json=True) == ExitCode.FATAL
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["run"]["state"] == "silent"
