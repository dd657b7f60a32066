"""What a run is expected to take, and what it took: each figure from rows and files of real videos."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from jobs.costs.cost_report import describe_last_run
from jobs.costs.expectation import hours_of
from jobs.costs.quantities import size, speed
from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.planning.work_done import work_of_run
from tests.jobs.ledger.merges import merge_committed
from tests.parts import stcn

PRICE = ("--price-per-hour", "3600")  # 1 a second


def manifest(archive: Path, folder: Path, *names: str, frames: int | None = None) -> Path:
    """A manifest of some videos of the archive; of "none", whose file is not there, too."""
    known = "" if frames is None else f",{frames}"
    lines = [f"{name},{archive}/videos/{name}.mp4,{archive}/prompts/{name}{known}" for name in names]
    path = folder / f"{''.join(names)}.csv"
    path.write_text("\n".join([f"video_id,video,prompts{',frames' if known else ''}", *lines]))
    return path


def plan(path: Path, output: Path, model_file: Path, *options: str) -> list[str]:
    """The lines below "expected:"."""
    result = stcn("plan", path, output, "--model", model_file, *options)
    assert result.returncode == 0, result.stderr
    assert "expected:\n" in result.stdout
    return [line.strip() for line in result.stdout.partition("expected:\n")[2].splitlines()]


def test_plan_of_a_new_output_says_what_is_known_and_how_to_know_the_rest(
    archive: Path, model_file: Path, tmp_path: Path
) -> None:
    path = manifest(archive, tmp_path, "a", "b", "none", frames=1_000_000)
    files = [archive / f"videos/{name}.mp4" for name in "ab"]
    files += [file for name in "ab" for file in (archive / f"prompts/{name}").iterdir()]
    read = sum(file.stat().st_size for file in files)
    told = plan(path, tmp_path / "out", model_file, *PRICE)
    assert told == [
        "2 videos, 2.0 million frames (from the manifest's column `frames`)",
        "nothing for 1 video whose file or prompts are not there",
        f"{size(read)} to read, of videos and prompts",
        told[3],
        "774 MB of masks for each object that a video has (387 bytes a mask, as assumed)",
    ]
    assert told[3].startswith("hours and cost are not known: no video is done here")
    assert all(way in told[3] for way in ("--sample 20", "stcn bench", "--frames-per-second"))


def test_given_speed_and_price_make_hours_and_cost(archive: Path, model_file: Path, tmp_path: Path) -> None:
    path = manifest(archive, tmp_path, "a", frames=3_600_000)
    options = ("--frames-per-second", "25", "--price-per-hour", "1.2")
    told = plan(path, tmp_path / "out", model_file, *options, "--device", "cpu")
    assert "40 actor-hours at 25 frames/s an actor (--frames-per-second)" in told
    assert "48.00 at 1.20 an hour of an actor" in told
    told = plan(path, tmp_path / "out", model_file, *options, "--device", "cuda")
    assert "40 GPU-hours at 25 frames/s an actor (--frames-per-second)" in told


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "actor"), ({"device": "cuda"}, "GPU"), ({"num_gpus_per_actor": 1.0}, "GPU"), ({"device": "cpu"}, "actor"),
        ({"num_gpus_per_actor": 0.5}, "actor"), ({"device": "cuda", "num_gpus_per_actor": 2.0}, "actor"),
    ],
)  # fmt: skip
def test_hours_are_of_gpus_only_where_each_actor_has_one(options: dict[str, Any], name: str) -> None:
    assert hours_of(SegmentConfig(manifest="m.csv", output="o", **options)) == name


@pytest.fixture(scope="module")
def twice(ray_cluster: str, archive: Path, model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an output of two runs: of a and b, then of all with c and the broken d."""
    folder = tmp_path_factory.mktemp("twice")
    for names, code in (("ab", 0), ("abcd", 3)):
        options = ("--model", model_file, "--threads-per-actor", "1", *PRICE)
        result = stcn("segment", manifest(archive, folder, *names), folder / "out", *options)
        assert result.returncode == code, result.stderr
    return folder


def runs(output: Path) -> list[dict[str, Any]]:
    return sorted((json.loads(path.read_text()) for path in (output / "runs").iterdir()), key=lambda run: run["run"])


def test_record_of_a_run_has_what_its_videos_took(twice: Path) -> None:
    first, last = runs(twice / "out")
    rows = {row.video_id: row for row in store.read_videos(f"{twice}/out/{store.VIDEOS_FILE}")}
    for info, names in ((first, "ab"), (last, "cd")):
        seconds = sum(rows[name].seconds or 0.0 for name in names)
        files = {row.masks_file for name in names if (row := rows[name]).masks_file}
        done = [rows[name] for name in names if rows[name].status == "done"]
        frames = sum(row.frames_decoded or 0 for row in done)
        expected = {
            "videos": len(done), "quarantined": len(names) - len(done), "frames": frames,
            "masks": sum(row.masks or 0 for row in done), "actor_seconds": pytest.approx(seconds, abs=1e-3),
            "frames_per_second": pytest.approx(frames / seconds), "cost": pytest.approx(seconds),
            "mask_bytes": sum((twice / "out/masks" / str(file)).stat().st_size for file in files),
        }  # fmt: skip
        taken = info["taken"]
        assert {name: taken[name] for name in expected} == expected
        assert 0 <= taken["wall_seconds"] < 600
        assert info["started"] <= taken["ended"]
    assert first["expected"]["actor_seconds"] is None
    assert last["expected"]["measured_on"] == 2
    assert last["expected"]["frames_per_second"] == first["taken"]["frames_per_second"]
    assert store.run_info(f"{twice}/out") == last


def test_status_compares_what_was_expected_with_what_was_taken(twice: Path) -> None:
    first, last = runs(twice / "out")
    status = stcn("status", twice / "out").stdout
    assert str(describe_last_run(last)) in status
    assert f"from {last['started']} to {last['taken']['ended']}:" in status
    rate = last["expected"]["frames_per_second"]
    assert f"expected {last['expected']['frames']} frames of 2 videos; taken 7 frames of 1 video\n" in status
    assert f"at {speed(rate)} an actor; taken " in status
    told = describe_last_run(first)
    assert told is not None
    assert "expected was not known; taken " in told
    del last["taken"]
    assert "last run, whose end is not noted yet:" in str(describe_last_run(last))
    assert describe_last_run({"config": {}}) is None, "an output of an earlier version"


def test_run_without_work_compares_nothing(
    twice: Path, ray_cluster: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    output = shutil.copytree(twice / "out", tmp_path / "out")
    again = stcn("segment", manifest(archive, tmp_path, "a", "b"), output, "--model", model_file)
    assert again.returncode == 0, again.stderr
    assert store.run_info(str(output))["taken"]["videos"] == 0
    assert "last run, " not in again.stdout + stcn("status", output).stdout


def test_plan_measures_on_the_videos_that_are_done_alike(
    twice: Path, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    path = manifest(archive, tmp_path, "a", "b", "c", "e", frames=10)
    told = plan(path, twice / "out", model_file, *PRICE)
    done = [row for row in store.read_videos(f"{twice}/out/{store.VIDEOS_FILE}") if row.status == "done"]
    frames, seconds = sum(r.frames_decoded or 0 for r in done), sum(r.seconds or 0.0 for r in done)
    assert told[0] == "1 video, 10 frames (from the manifest's column `frames`)"
    assert all("measured on 3 videos of this output" in line for line in told[2:5])
    assert told[3].endswith(f" at {speed(frames / seconds)} an actor (measured on 3 videos of this output)")
    assert float(told[5].split()[0]) == pytest.approx(10 * seconds / frames, abs=0.006)
    others = plan(path, twice / "out", model_file, "--memory-every", "3")
    assert any(line.startswith("hours and cost are not known") for line in others), "all were done with other options"


def test_merged_file_is_shared_out_among_runs(twice: Path, tmp_path: Path) -> None:
    output = str(shutil.copytree(twice / "out", tmp_path / "out"))
    ledger = Ledger(output)
    apart = [work_of_run(ledger, run["run"]) for run in runs(tmp_path / "out")]
    ledger.begin("merges", {"user": "me", "host": "here", "pid": 1, "since": "today"})
    merge_committed(ledger, output, [name for name, file in ledger.files.items() if file])
    (merged,) = (file for file in ledger.files.values() if file)
    together = [work_of_run(ledger, run["run"]) for run in runs(tmp_path / "out")]
    assert sum(work.mask_bytes for work in together) == pytest.approx(merged.num_bytes, abs=1)
    of_masks = merged.num_bytes / sum(work.masks for work in apart)
    assert [work.mask_bytes for work in together] == [pytest.approx(work.masks * of_masks, abs=1) for work in apart]
