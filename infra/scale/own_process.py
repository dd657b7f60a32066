"""Scripts of this folder in processes of their own, whose memory does not count; so this module imports little."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def make_output(kind: str, output: str, manifest: str, count: int) -> None:
    """Run `made_outputs.py`."""
    run("made_outputs.py", kind, output, manifest, str(count))


def run(script: str, *arguments: str) -> str:
    """Run a script to its end, and return the last line that it printed."""
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script}: {done.stderr}")
    return (done.stdout.splitlines() or [""])[-1]
