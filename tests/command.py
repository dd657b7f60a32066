"""The command `stcn`, run to its end in a process of its own."""

import os
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from tests.preloaded import client


def stcn(
    *args: str | Path, timeout: float = 300, cwd: Path | None = None, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end: its exit code, and what it wrote. Raises subprocess.TimeoutExpired.

    Tests that send signals start `python -m jobs.cli` by themselves.
    """
    command = [_program(), *map(str, args)]
    environment = dict(os.environ) if env is None else env
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        files = (out.fileno(), err.fileno())
        code = client.run(command, environment, cwd=cwd or Path.cwd(), files=files, timeout=timeout)
        return subprocess.CompletedProcess(command, code, _text(out), _text(err))


def _program() -> str:
    spec = find_spec("jobs.cli.__main__")
    assert spec
    assert spec.origin
    return spec.origin


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode()
