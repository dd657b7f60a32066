"""Promise: --strict makes damage a failure; without it damage is told, and the video is done. Whether it was given may
change from run to run: what it judges otherwise is done again, and nothing else."""

from pathlib import Path

import pytest

from jobs.records import VideoRow
from tests.jobs.inputs.test_damage import encode, flip
from tests.parts import stcn
from tests.reliability.small_run import masks, verified_rows

pytestmark = pytest.mark.usefixtures("ray_cluster")

FRAMES = 48
SOUND = ("a", "c")


@pytest.fixture
def manifest(archive: Path, tmp_path: Path) -> Path:
    """Two sound videos, and one between them that has lost frames: 20 bytes of its middle are flipped."""
    whole = encode(tmp_path / "whole.mp4", "libx264", {"preset": "ultrafast"}, FRAMES)
    flip(whole, tmp_path / "b.mp4", seed=0)
    prompts = archive / "prompts/a"
    lines = [f"{name},{archive}/videos/a.mp4,{prompts}" for name in SOUND]
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("\n".join(["video_id,video,prompts", *lines, f"b,b.mp4,{prompts}"]))
    return manifest


def test_strict_may_change_between_runs(manifest: Path, model_file: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "out")
    command = ["segment", str(manifest), output, "--model", str(model_file)]

    def after(returncode: int, *extra: str) -> dict[str, VideoRow]:
        result = stcn(*command, *extra)
        assert result.returncode == returncode, result.stderr
        return verified_rows(output)

    lax = after(0)
    assert {row.status for row in lax.values()} == {"done"}
    assert (lax["a"].damage, lax["c"].damage) == (None, None)
    assert lax["b"].damage
    assert lax["b"].frames_expected == FRAMES
    assert set(masks(output, lax)) == {"a", "b", "c"}

    strict = after(3, "--strict")
    bad = strict["b"]
    assert (bad.status, bad.error_class, bad.attempts) == ("quarantined", "DamagedError", 1)
    assert lax["b"].damage in str(bad.error_message)
    assert "run without --strict" in str(bad.error_message)
    assert set(masks(output, lax)) == set(SOUND)
    assert after(3, "--strict") == strict  # nothing is left to do,
    plan = stcn("plan", manifest, output, "--model", model_file, "--strict")
    assert plan.stdout.startswith("3 videos: 2 done, 1 quarantined; 0 shards to do")

    again = after(0)
    assert again["b"].damage == lax["b"].damage
    assert again["b"].masks == lax["b"].masks
    assert set(masks(output, lax)) == {"a", "b", "c"}
    for rows in (strict, again):  # and none of it was done twice: also the times are the same
        assert [without_place(rows[name]) for name in SOUND] == [without_place(lax[name]) for name in SOUND]


def without_place(row: VideoRow) -> dict[str, object]:
    """A row but for the file of its masks, which is a new one where a neighbour's masks were taken out."""
    return {name: value for name, value in vars(row).items() if name != "masks_file"}
