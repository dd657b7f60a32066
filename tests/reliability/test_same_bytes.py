"""Promise: the same inputs give the same bytes."""

from pathlib import Path

import pytest

from tests.lengths import short_and_long
from tests.parts import stcn

pytestmark = pytest.mark.usefixtures("ray_cluster")


@short_and_long("actors", short=["1"], long=["2"])
def test_two_runs_of_one_plan_write_identical_files(
    actors: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    """Under the same names, too, if one actor brings them, so that they come in one order."""

    def masks(output: Path) -> list[tuple[str, bytes]]:
        command: list[str | Path] = [
            "segment", archive / "manifest.csv", output, "--model", model_file, "--threads-per-actor", "1",
        ]  # fmt: skip
        assert stcn(*command, "--actors", actors).returncode == 3
        files = sorted((output / "masks").iterdir(), key=lambda path: path.read_bytes())
        return [(path.name if actors == "1" else "", path.read_bytes()) for path in files]

    first = masks(tmp_path / "first")
    assert len(first) > 1
    assert masks(tmp_path / "second") == first
