"""An output of true masks."""

from pathlib import Path

import pytest

from tests.jobs.drawn_output import write_output


@pytest.fixture(scope="session")
def output(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of true masks, with the videos where the archive has them."""
    folder = tmp_path_factory.mktemp("drawn-output")
    (folder / "videos").symlink_to(archive / "videos")
    write_output(archive, f"{folder}/out", str(folder))
    return f"{folder}/out"
