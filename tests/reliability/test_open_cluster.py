"""Promise: a cluster is not left open without a word: the job warns where Ray's API is reachable without a token."""

import os
from pathlib import Path

from tests.parts import VIDEOS, in_cluster, ray_head, stcn

WARNING = "asks for no token: whoever reaches that port runs code on this cluster"


def warnings(archive: Path, model_file: Path, output: Path, environment: dict[str, str]) -> str:
    result = stcn("segment", archive / "manifest.csv", output, "--model", model_file, env=environment)
    assert result.returncode == 3, result.stderr
    assert f"{len(VIDEOS)} videos: {len(VIDEOS) - 1} done" in result.stdout
    return result.stderr


def test_cluster_without_a_token_gives_a_warning(archive: Path, model_file: Path, tmp_path: Path) -> None:
    with ray_head(in_cluster("")) as (address, dashboard):
        said = warnings(archive, model_file, tmp_path / "open", in_cluster(address))
    assert f"Ray's jobs interface at {dashboard.removeprefix('http://')} {WARNING}" in said
    assert "RAY_AUTH_MODE=token" in said


def test_cluster_with_a_token_gives_no_warning(
    ray_cluster: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    assert WARNING not in warnings(archive, model_file, tmp_path / "closed", dict(os.environ))
