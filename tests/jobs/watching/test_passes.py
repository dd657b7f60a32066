"""A real run counts the frames of passes that make no masks apart, as its actors report them."""

import json
from pathlib import Path

from jobs.outputs import store
from tests.parts import stcn


def test_cycle_checks_and_backward_passes_are_counted_beside_the_segmented_frames(
    ray_cluster: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    passes = ("--direction", "both", "--cycle-check")
    command = ("segment", archive / "manifest.csv", tmp_path, "--model", model_file, "--actors", "1", *passes)
    result = stcn(*command, "--threads-per-actor", "1")
    assert result.returncode == 3, result.stderr
    lines = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    last = [line for line in lines if line["event"] == "progress"][-1]
    taken = store.run_info(str(tmp_path))["taken"]
    assert last["frames"] == taken["frames"], "each segmented frame counts once"
    assert last["frames_again"] > last["frames"], "a cycle check reads a video once more, then goes back over it"
