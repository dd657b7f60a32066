"""Programs that tests need: a log for each, ended by pid, and gone as well when the test process is killed."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

START_SECONDS = 60
QUOTED_LINES = 8

Process = subprocess.Popen[bytes]


class ServerError(Exception):
    """A server did not come up; the message ends with what its logs say about it."""


class Processes:
    """The programs of one server. Logs are `folder/PROGRAM.log`; lines that match `telling` are quoted in errors."""

    def __init__(self, folder: Path, telling: str) -> None:
        self._folder, self._telling = folder, re.compile(telling)
        self._running: list[Process] = []
        self._guard: Process | None = None

    def start(self, program: str, *options: str | Path) -> Process:
        """Start a program that stays."""
        if self._guard is None:
            self._guard = _guard()
        with (self._folder / f"{Path(program).name}.log").open("ab") as log:
            process = subprocess.Popen(
                [program, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=self._guard.pid
            )
        self._running.append(process)
        return process

    def run(self, program: str, *options: str | Path) -> None:
        """Run a program to its end. Raises ServerError if it fails."""
        process = self.start(program, *options)
        self._running.remove(process)  # it may end
        self.wait_until(lambda: process.poll() is not None, program)
        if process.returncode != 0:
            raise self._failure(f"{program} failed with exit code {process.returncode}")

    def end(self, process: Process) -> None:
        """SIGKILL one program, and wait until it is gone."""
        self._running.remove(process)
        process.kill()
        process.wait()

    def end_all(self) -> None:
        """By SIGKILL: asked nicely, Ceph takes 6 s for data that nobody keeps."""
        if self._guard is None:
            return
        os.killpg(self._guard.pid, signal.SIGKILL)
        for process in (*self._running, self._guard):
            process.communicate()
        self._running, self._guard = [], None

    def wait_until(self, done: Callable[[], bool], what: str) -> None:
        """Raises ServerError after a minute, or as soon as a program that should stay has ended."""
        deadline = time.monotonic() + START_SECONDS
        while not done():
            for process in self._running:
                if process.poll() is not None:
                    raise self._failure(f"{process.args!r} ended with exit code {process.returncode}")
            if time.monotonic() > deadline:
                raise self._failure(f"{what} was not ready within {START_SECONDS} s")
            time.sleep(0.05)

    def _failure(self, what: str) -> ServerError:
        logs = sorted(self._folder.glob("*.log"))
        quoted = [f"{log.stem}: {line}" for log in logs for line in self._telling_lines(log)]
        return ServerError("\n".join([f"{what}; logs are in {self._folder}", *quoted]))

    def _telling_lines(self, log: Path) -> list[str]:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return ([line for line in lines if self._telling.search(line)] or lines)[-QUOTED_LINES:]


def _guard() -> Process:
    """Leads the group of all programs, which Ctrl-C does not reach, and ends it once our end of its pipe closes."""
    return subprocess.Popen(["/bin/sh", "-c", "read _; kill -KILL 0"], stdin=subprocess.PIPE, process_group=0)
