"""Promise: the same inputs give the same bytes."""

from pathlib import Path

import pytest

from tests.parts import stcn


@pytest.mark.parametrize("actors", ["1", "2"])
def test_two_runs_of_one_plan_write_the_same_files(
    actors: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    """Rows do not depend on the number of actors, either: tests/jobs/test_run.py."""

    def masks(output: Path) -> dict[str, bytes]:
        command: list[str | Path] = [
            "segment", archive / "manifest.csv", output, "--model", model_file, "--threads-per-actor", "1",
        ]  # fmt: skip
        assert stcn(*command, "--actors", actors).returncode == 3
        return {path.name: path.read_bytes() for path in (output / "masks").iterdir()}

    first = masks(tmp_path / "first")
    assert len(first) > 1
    assert masks(tmp_path / "second") == first
