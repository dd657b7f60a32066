"""A package that is installed beside stcn adds a similarity: driver and actors know it."""

from pathlib import Path

import pytest

from jobs.planning.run_record import read_video_rows
from tests.parts import in_cluster, stcn

PLUGIN = """
from stcn_core import SimilarityParts, register_similarity

def halved_dot(memory, query):
    return SimilarityParts(memory, query, divisor=2 * memory.shape[-2] ** 0.5)

register_similarity("halved dot", halved_dot)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """As where the package `halved` is installed: a module, and the entry point that names it."""
    installed = tmp_path / "installed"
    metadata = installed / "halved-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: halved\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[stcn.plugins]\nhalved = halved_dot\n")
    (installed / "halved_dot.py").write_text(PLUGIN)
    return in_cluster("") | {"PYTHONPATH": str(installed)}


def test_similarity_of_an_installed_package_segments(
    environment: dict[str, str], archive: Path, model_file: Path, tmp_path: Path
) -> None:
    command = ("segment", archive / "manifest.csv", tmp_path / "out", "--model", model_file, "--actors", "1")
    result = stcn(*command, "--similarity", "halved dot", env=environment)
    assert result.returncode == 3, result.stderr
    assert {row.status for row in read_video_rows(str(tmp_path / "out"))} == {"done", "quarantined"}
    without = stcn(*command, "--similarity", "halved dot", env=in_cluster(""))
    assert (without.returncode, "similarity='halved dot' is not usable" in without.stderr) == (2, True)


def test_plugin_that_cannot_be_imported_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "installed/halved_dot.py").write_text("raise RuntimeError('no such library')")
    result = stcn("status", tmp_path, env=environment)
    assert result.returncode == 2
    assert result.stderr == (
        "error: plugin 'halved' (halved_dot) cannot be imported: RuntimeError: no such library; "
        "mend or uninstall its package\n"
    )
