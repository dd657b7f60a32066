"""A Python process that is a fork of the server, in the place of subprocess.Popen."""

import array
import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Self

from tests.preloaded import ray_worker


class Process:
    """`python ARGUMENT...`, with -c CODE, -m MODULE or SCRIPT. A context manager: the process ends with it."""

    def __init__(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, pipe: bool = False
    ) -> None:
        """env, cwd: this process's own, if none are given. pipe: `stdout` gives its output as it comes."""
        self.args = [*map(str, arguments)]
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        self._output, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        out = self._output.fileno()
        if pipe:
            read_end, out = os.pipe()
            self.stdout = os.fdopen(read_end)
        request = {
            "arguments": self.args, "python": str(python_for_ray()), "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
        }  # fmt: skip
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        self._connection.connect(str(_server()))
        files = array.array("i", [out, self._errors.fileno()])
        self._connection.sendmsg([json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        self.pid = int(self._connection.recv(64))
        if pipe:
            os.close(out)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self.wait()
        if self.stdout:
            self.stdout.close()

    def poll(self) -> int | None:
        """The exit code; None while the process is at work."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._connection.recv(64))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._connection.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it is at work."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def output(self) -> str:
        """What it has written to its standard output."""
        return _text(self._output)

    def errors(self) -> str:
        """What it has written to its standard error."""
        return _text(self._errors)


def python_for_ray() -> Path:
    """A program that stands for Python (`sys.executable`) in a process that starts Ray: its workers come preloaded."""
    return _server().with_name("python")


def raylet_of(pid: int) -> int:
    """The process id of the raylet that started this preloaded worker. Raises FileNotFoundError."""
    return int(_server().with_name(f"{pid}.raylet").read_text())


def _text(file: IO[bytes]) -> str:
    """Read without moving the place where the process writes, which it shares."""
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()


@cache
def _server() -> Path:
    """Its socket; the server is started at the first call, and ends with this process."""
    stack = contextlib.ExitStack()
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stcn-forks-")), "socket")
    _write_launcher(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(64)  # requests wait until the server has imported everything
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.preloaded.server", str(listener.fileno())], stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()], cwd=Path(__file__).parents[2],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a thread would not be there after a fork
        )  # fmt: skip
    stack.enter_context(process)  # closes its standard input, which ends it, and waits for it
    atexit.register(stack.close)
    return path


def _write_launcher(socket_path: Path) -> None:
    program = socket_path.with_name("python")
    command = f"{sys.executable} -IS {ray_worker.__file__} {socket_path} {sys.executable}"
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
