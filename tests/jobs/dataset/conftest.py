"""The output that the tests of the data set read."""

from pathlib import Path

import pytest

from tests.jobs.drawn_output import write_output


@pytest.fixture(scope="session")
def output(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An output of true masks, with the archive's videos."""
    folder = tmp_path_factory.mktemp("drawn-output")
    (folder / "videos").symlink_to(archive / "videos")
    write_output(archive, f"{folder}/out", str(folder))
    return f"{folder}/out"
