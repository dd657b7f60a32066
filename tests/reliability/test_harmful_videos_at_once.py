"""Promise: with several videos under way in one process, a crash, a hang, memory that runs out and an error are charged
to their video alone, as if each video were alone; all others come out as if it were not there."""

import signal
from pathlib import Path

import numpy as np
import pytest

from jobs.outputs import rle, store
from tests.lengths import short_and_long
from tests.parts import stcn
from tests.reliability.harmful_inputs import Striking, Unanswering
from tests.reliability.small_run import masks, verified_rows
from tests.reliability.test_harmful_videos import EXPECTED, SOUND, TRIED_ONCE, Masks, draw_harms, outcome, with_others
from tests.reliability.test_harmful_videos import folder as folder

pytestmark = pytest.mark.usefixtures("ray_cluster")


def options(model_file: Path) -> list[str | Path]:
    options: list[str | Path] = ["--model", model_file, "--actors", "1", "--threads-per-actor", "1"]
    return [*options, "--short-side", "0", "--clips-per-actor", "4"]


def equal_share(rows: list[store.MaskRow], others: list[store.MaskRow]) -> float:
    """Of the pixels of a video's masks."""
    assert [(row["frame_index"], row["object_id"]) for row in rows] == [
        (row["frame_index"], row["object_id"]) for row in others
    ]
    one, other = ([rle.decode(row["counts"], row["height"], row["width"]) for row in some] for some in (rows, others))
    return float(np.mean(np.array(one) == np.array(other)))


@pytest.fixture(scope="module")
def undisturbed(folder: Path, model_file: Path) -> Masks:
    """The masks of the sound videos, four at once as well."""
    output = folder / "undisturbed-at-once"
    result = stcn("segment", with_others(folder, {}), output, *options(model_file))
    assert result.returncode == 0, result.stderr
    return masks(str(output), SOUND)


@short_and_long("tries, stall_seconds", short=[(1, 10)], long=[(2, 20)])
def test_each_harmful_video_is_charged_alone_with_several_under_way(
    tries: int, stall_seconds: int, folder: Path, undisturbed: Masks, model_file: Path, tmp_path: Path
) -> None:
    manifest, lethal, silent = draw_harms(folder, tmp_path)
    output = str(tmp_path / "out")
    with Striking(lethal, signal.SIGSEGV) as strikes, Unanswering(silent) as waiting:
        result = stcn(
            "segment", manifest, output, *options(model_file), "--max-attempts", str(tries),
            "--stall-seconds", str(stall_seconds), "--memory-per-actor", "1",
        )  # fmt: skip
    assert result.returncode == 3, result.stderr
    rows = verified_rows(output)
    for name, expected in EXPECTED.items():
        assert outcome(rows[name]) == ("quarantined", expected, 1 if expected in TRIED_ONCE else tries), rows[name]
    assert all(outcome(rows[name]) == ("done", None, 1) for name in SOUND)
    assert "under way together as their actor died, so each is tried again alone, and none is charged" in result.stderr
    assert len(strikes.struck) == tries + 1, "once in company, where it was a suspect, then alone"
    assert waiting.waited in (tries, tries + 1), "the one that others wait for is to blame at once; or it died with one"
    found = masks(output, SOUND)
    assert found.keys() == undisturbed.keys()
    assert min(equal_share(found[name], undisturbed[name]) for name in SOUND) > 0.999, "in another company"
