"""Promise: whatever is in a video file, it is that video's row: the job ends, and all sound videos come out.

`make test` takes 100 mutants, `make test-all` 1,000, each with a new seed, which it prints. STCN_MUTANTS sets another
number of mutants for the long form, and STCN_SEED repeats a seed:

    STCN_MUTANTS=10000 python -m pytest -s -m slow tests/reliability/test_mutated_videos.py
"""

import csv
import os
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from jobs.outputs.label_maps import to_image
from jobs.records import VideoRow
from tests.lengths import short_and_long
from tests.parts import stcn
from tests.reliability.mutations import FRAMES, SIZES, Mutant, Source, mutant, sources
from tests.reliability.small_run import masks, verified_rows

pytestmark = pytest.mark.usefixtures("ray_cluster")

MUTANTS = int(os.environ.get("STCN_MUTANTS", "1000"))  # of the long form
SEED = int(os.environ.get("STCN_SEED", random.randrange(10**6)))
MUTANTS_PER_SOUND = 20
OF_ITS_OWN = {"VideoError", "PromptError"}  # what a video's bytes or prompts are; they are tried once
TRIES = 2


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    return sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts for each size, and an empty folder for videos."""
    folder = tmp_path_factory.mktemp("mutants")
    for height, width in SIZES:
        labels = np.zeros((height, width), np.uint8)
        labels[4:20, 4:30], labels[16:28, 36:60] = 1, 2
        to_image(labels).save(folder / f"prompt-{height}p.png")
    (folder / "videos").mkdir()
    return folder


def test_mutant_is_reproducible_from_seed_and_number(originals: list[Source], tmp_path: Path) -> None:
    again = sources(tmp_path)
    assert again == originals
    for number in range(200):
        assert mutant(again, SEED, number) == mutant(originals, SEED, number)
    assert len({mutant(originals, SEED, number).content for number in range(200)}) > 150


@short_and_long("count", short=[100], long=[MUTANTS])
def test_mutated_videos_become_rows_and_sound_ones_are_unaffected(
    count: int, originals: list[Source], folder: Path, model_file: Path
) -> None:
    print(f"\nseed {SEED}, {count} mutants")
    mutants = {f"{number:05d}": mutant(originals, SEED, number) for number in range(count)}
    sound = {
        f"{number:05d}-sound": originals[number // MUTANTS_PER_SOUND % len(originals)]
        for number in range(0, count, MUTANTS_PER_SOUND)
    }
    alone, mixed = folder / f"alone-{count}.csv", folder / f"mixed-{count}.csv"
    write_manifest(alone, sound)
    write_manifest(mixed, dict(sorted([*mutants.items(), *sound.items()])))
    expected = run(alone, model_file, returncode=0)
    found = run(mixed, model_file, returncode=3)

    rows = verified_rows(found)
    assert list(rows) == sorted([*mutants, *sound])
    assert masks(found, sound) == masks(expected, sound)
    for name in sound:
        assert (rows[name].status, rows[name].frames_decoded, rows[name].attempts) == ("done", FRAMES, 1)
    for name, made in mutants.items():
        check(rows[name], made)
    report(rows, mutants)


def write_manifest(path: Path, videos: Mapping[str, Source | Mutant]) -> None:
    """And the videos themselves, each with the prompts of its size."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("video_id", "video", "prompts"))
        for name, video in videos.items():
            size = (video.source if isinstance(video, Mutant) else video).size
            location = f"videos/{name}.{video.ending}"
            (path.parent / location).write_bytes(video.content)
            writer.writerow((name, location, f"prompt-{size[0]}p.png"))


def run(manifest: Path, model_file: Path, returncode: int) -> str:
    output = str(manifest.with_suffix(""))
    result = stcn(
        "segment", manifest, output, "--model", model_file, "--actors", "2", "--threads-per-actor", "1",
        "--stall-seconds", "60", "--max-attempts", str(TRIES), timeout=300 + MUTANTS,
    )  # fmt: skip
    assert result.returncode == returncode, f"seed {SEED}: {result.stderr[-5000:]}"
    return output


def check(row: VideoRow, made: Mutant) -> None:
    """It is done with masks, or says why not."""
    which = f"video {row.video_id} of seed {SEED}, {made.kind}: {row}"
    if row.status == "done":
        assert row.frames_decoded, which
        assert row.masks, which
        assert row.masks >= row.frames_decoded, which
    else:
        is_its_own = row.error_class in OF_ITS_OWN
        assert row.status == "quarantined", which
        assert row.error_message, which
        assert row.attempts == (1 if is_its_own else TRIES), which
        assert (row.error_traceback is None) == is_its_own, which
    if made.kind in ("wrong ending", "empty or zeros"):
        assert row.status == ("done" if made.kind == "wrong ending" else "quarantined"), which


def report(rows: dict[str, VideoRow], mutants: dict[str, Mutant]) -> None:
    """How many came to what, and of which kind."""
    ends = {name: rows[name].error_class or ("damaged" if rows[name].damage else "done") for name in mutants}
    kinds = (f"{made.kind}: {ends[name]}" for name, made in mutants.items())
    for counts in (Counter(ends.values()), Counter(kinds)):
        print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
