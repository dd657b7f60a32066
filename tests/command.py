"""The command `stcn`, run to its end in a process of its own."""

import subprocess
from pathlib import Path

from tests.preloaded.process import Process


def stcn(
    *args: str | Path, timeout: float = 300, cwd: Path | None = None, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end: its exit code, and what it wrote. Raises subprocess.TimeoutExpired."""
    with Process("-m", "jobs", *args, cwd=cwd, env=env) as process:
        process.wait(timeout)
    return subprocess.CompletedProcess(process.args, process.wait(), process.output(), process.errors())
