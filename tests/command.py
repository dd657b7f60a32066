"""The command `stcn`, run to its end in a process of its own."""

import array
import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

_sending = threading.Lock()


def stcn(
    *args: str | Path, timeout: float = 300, cwd: Path | None = None, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end: its exit code, and what it wrote. Raises subprocess.TimeoutExpired.

    The process comes from `command_server`, which spares it most of its imports. Tests that send signals start
    `python -m jobs.cli` by themselves.
    """
    command = [_program(), *map(str, args)]
    request = {
        "program": command[0], "args": command[1:], "cwd": str(cwd or Path.cwd()),
        "env": dict(os.environ) if env is None else env,
    }  # fmt: skip
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        read_end, write_end = os.pipe()
        with open(read_end, "rb", buffering=0) as status:
            try:
                _send(json.dumps(request).encode(), [out.fileno(), err.fileno(), write_end])
            finally:
                os.close(write_end)
            pid = int(_line(status, None, command))
            try:
                code = int(_line(status, timeout, command))
            except subprocess.TimeoutExpired:
                os.kill(pid, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(command, code, _text(out), _text(err))


def _program() -> str:
    spec = find_spec("jobs.cli.__main__")
    assert spec
    assert spec.origin
    return spec.origin


def _line(status: BinaryIO, timeout: float | None, command: list[str]) -> bytes:
    with selectors.DefaultSelector() as ready:
        ready.register(status, selectors.EVENT_READ)
        if not ready.select(timeout):
            raise subprocess.TimeoutExpired(command, timeout or 0)
    line = status.readline()
    assert line, "the command server has ended; its standard error says why"
    return line


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()


def _send(message: bytes, files: list[int]) -> None:
    with _sending:
        sent = _server().sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
    assert sent == len(message)


@cache
def _server() -> socket.socket:
    """Its end closes with this process, and the server ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.command_server", str(theirs.fileno())], stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()], cwd=Path(__file__).parents[1],
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a thread would not be there after a fork
        )  # fmt: skip

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours
