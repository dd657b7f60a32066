"""Servers of preloaded processes, and processes from them."""

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
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.preloaded import ray_worker


def run(argv: Sequence[str], env: Mapping[str, str], *, cwd: Path, files: Sequence[int], timeout: float) -> int:
    """Run `stcn` to its end, and return its exit code. Raises subprocess.TimeoutExpired."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        connection.connect(str(_server()))
        request = json.dumps(
            {"argv": [*argv], "python": str(python_for_ray()), "cwd": str(cwd), "env": {**env}}
        ).encode()
        connection.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
        pid = int(connection.recv(64))
        connection.settimeout(timeout)
        try:
            return int(connection.recv(64))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired([*argv], timeout) from None


def python_for_ray() -> Path:
    """A program that stands for Python (`sys.executable`) in a process that starts Ray: its workers come preloaded."""
    return _server().with_name("python")


def raylet_of(pid: int) -> int:
    """The process id of the raylet that started this preloaded worker. Raises FileNotFoundError."""
    return int(_server().with_name(f"{pid}.raylet").read_text())


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
