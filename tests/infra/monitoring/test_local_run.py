"""A run on a Ray of its own, as on a laptop: nobody scrapes it, and metrics neither stop it nor say anything."""

from pathlib import Path

from tests.parts import VIDEOS, in_cluster, stcn


def test_a_run_without_a_cluster_says_nothing_of_metrics(archive: Path, model_file: Path, tmp_path: Path) -> None:
    options = ["--model", str(model_file), "--actors", "1", "--threads-per-actor", "1"]
    result = stcn("segment", archive / "manifest.csv", tmp_path / "out", *options, env=in_cluster(""))
    assert result.returncode == 3, result.stderr  # a video is broken
    assert f"{len(VIDEOS)} videos: {len(VIDEOS) - 1} done" in result.stdout
    assert "Traceback" not in result.stderr
    assert "metric" not in result.stderr
