"""Videos that share the calls of one actor come out as they do one after another, in the same bytes each time."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs import rle, store
from jobs.records import VideoRow
from tests.parts import stcn
from tests.reliability.small_run import verified_rows

SIZES = ((48, 64), (50, 70), (64, 48))
VIDEOS = [
    DrawnVideo(
        video_id=f"{n:02}", seed=n, frames=5 + 3 * (n % 6), height=SIZES[n % 3][0], width=SIZES[n % 3][1],
        rate=Fraction(24), objects=1 + n % 3, broken=n == 5,
    )
    for n in range(18)
]  # fmt: skip
Masks = dict[tuple[str, int, int], np.ndarray]  # by video, frame and object


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    draw_archive(VIDEOS, folder)
    return folder


@pytest.fixture(scope="module")
def outputs(ray_cluster: str, folder: Path, model_file: Path) -> dict[str, Path]:
    """Three runs: one video at a time, and four at a time, twice. In shards of about five videos."""
    runs = {"alone": "auto", "shared": "4", "again": "4"}
    for name, clips in runs.items():
        options: list[str | Path] = [
            "--model",
            model_file,
            "--threads-per-actor",
            "1",
            "--actors",
            "1",
            "--clips-per-actor",
            clips,
        ]
        options += ["--direction", "both", "--cycle-check"]
        result = stcn("segment", folder / "manifest.csv", folder / name, *options)
        assert result.returncode == 3, result.stderr
    return {name: folder / name for name in runs}


def rows_of(output: Path) -> dict[str, VideoRow]:
    return verified_rows(str(output))


def masks_of(output: Path) -> Masks:
    return {
        (video.video_id, row["frame_index"], row["object_id"]): rle.decode(row["counts"], row["height"], row["width"])
        for video in masks_by_video(str(output))
        for row in video.rows
    }


def test_videos_that_share_calls_have_the_masks_that_they_have_alone(outputs: dict[str, Path]) -> None:
    alone, shared = masks_of(outputs["alone"]), masks_of(outputs["shared"])
    assert alone.keys() == shared.keys()
    equal = [float(np.mean(mask == shared[key])) for key, mask in alone.items()]
    assert min(equal) > 0.99
    assert np.mean(equal) > 0.9999


def test_rows_tell_the_same_but_for_time(outputs: dict[str, Path]) -> None:
    alone, shared = rows_of(outputs["alone"]), rows_of(outputs["shared"])
    assert {row.status for row in shared.values()} == {"done", "quarantined"}
    for name, row in alone.items():
        told = [
            (r.status, r.frames_decoded, r.masks, r.objects, r.attempts, r.error_class) for r in (row, shared[name])
        ]
        assert told[0] == told[1]


def test_two_runs_with_shared_calls_write_identical_files(outputs: dict[str, Path]) -> None:
    def files(output: Path) -> list[tuple[str, bytes]]:
        return sorted((path.name.partition("-")[2], path.read_bytes()) for path in (output / "masks").iterdir())

    assert files(outputs["shared"]) == files(outputs["again"])
    assert len(files(outputs["shared"])) > 2


def test_a_files_videos_are_in_the_order_of_their_ids(outputs: dict[str, Path]) -> None:
    for path in (outputs["shared"] / "masks").iterdir():
        ids = store.parse(path.read_bytes())["video_id"].to_pylist()
        assert ids == sorted(ids)


def test_seconds_of_videos_that_share_an_actor_add_up_to_no_more_than_its_own(outputs: dict[str, Path]) -> None:
    info = json.loads((outputs["shared"] / store.RUN_FILE).read_text())["taken"]
    rows = [row for row in rows_of(outputs["shared"]).values() if row.status == "done"]
    assert 0 < sum(row.seconds or 0.0 for row in rows) <= info["wall_seconds"]
