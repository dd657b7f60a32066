"""A folder goes with its process, also with a worker that multiprocessing ends, also where Finalize is gone."""

import subprocess
import sys
from pathlib import Path

import pytest

IN_THIS_PROCESS = "delete_at_exit(Path(sys.argv[1]))"
IN_A_WORKER = """
worker = multiprocessing.get_context("fork").Process(target=delete_at_exit, args=(Path(sys.argv[1]),))
worker.start()
worker.join()
"""
WITHOUT_FINALIZE = "del multiprocessing.util.Finalize\n"


@pytest.mark.parametrize(
    "script", [IN_THIS_PROCESS, IN_A_WORKER, WITHOUT_FINALIZE + IN_THIS_PROCESS], ids=["process", "worker", "fallback"]
)
def test_the_folder_is_gone_when_the_process_is(script: str, tmp_path: Path) -> None:
    """If the first two fail, multiprocessing has changed: adapt `process_exit`."""
    (tmp_path / "x").mkdir()
    imports = (
        "import multiprocessing.util, sys\nfrom pathlib import Path\nfrom jobs.io.process_exit import delete_at_exit\n"
    )
    command = [sys.executable, "-c", imports + script, str(tmp_path / "x")]
    subprocess.run(command, check=True, timeout=60)
    assert not (tmp_path / "x").exists()
