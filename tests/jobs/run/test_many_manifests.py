"""One output, several manifests: every command speaks of all videos, and nothing of any is lost unnoticed."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from jobs.outputs import store
from jobs.planning.run_record import RunConfigs, read_video_rows
from tests.parts import stcn

IDS = ("a", "b", "c", "e")


@pytest.fixture
def manifests(archive: Path, tmp_path: Path) -> Path:
    """A folder with all.csv of four videos, and few.csv of two of them, one with an option of its own."""
    for name, rows, column in (("all", IDS, {}), ("few", ("a", "b"), {"b": 3})):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("video_id", "video", "prompts", *(["memory_every", "camera"] if column else [])))
            for v in rows:
                own = [column.get(v, ""), "left"] if column else []
                writer.writerow((v, archive / f"videos/{v}.mp4", archive / f"prompts/{v}", *own))
    return tmp_path


def segment(folder: Path, manifest: str, *options: str | Path) -> str:
    result = stcn("segment", folder / f"{manifest}.csv", folder / "out", "--threads-per-actor", "1", *options)
    assert result.returncode == 0, result.stderr
    return result.stderr


def statuses(output: Path) -> dict[str, str]:
    return {row.video_id: row.status for row in read_video_rows(str(output))}


def test_a_manifest_of_fewer_rows_leaves_the_other_videos_as_they_are(
    ray_cluster: str, manifests: Path, model_file: Path
) -> None:
    output = manifests / "out"
    segment(manifests, "all", "--model", model_file)
    before = {row.video_id: row for row in read_video_rows(str(output))}
    notes = segment(manifests, "few", "--model", model_file)
    assert "columns of the manifest that nothing reads: 'camera'" in notes
    assert f"{output} has 2 videos of other manifests, too" in notes
    after = {row.video_id: row for row in read_video_rows(str(output))}
    assert sorted(after) == list(IDS)
    assert {v for v in IDS if after[v].run != before[v].run} == {"b"}  # its row sets memory_every
    assert [RunConfigs(str(output)).of(after[v]).manifest for v in ("b", "c")] == [
        str(manifests / "few.csv"), str(manifests / "all.csv"),
    ]  # fmt: skip
    status = stcn("status", output).stdout
    assert "4 videos: 4 done" in status
    assert "2 of them are of the last run's manifest" in status
    assert stcn("verify", output).returncode == 0
    chosen = stcn("select", output, manifests / "chosen")
    assert chosen.returncode == 0, chosen.stderr
    assert sorted(row.video_id for row in read_video_rows(str(manifests / "chosen"))) == list(IDS)
    assert len(stcn("overlay", output, manifests / "mp4").stdout.splitlines()) == 4

    one = stcn("overlay", output, manifests / "one", "--only", "c")
    assert one.stdout.split() == [str(manifests / "one/c.mp4")]
    unknown = stcn("overlay", output, manifests / "one", "--only", "z")
    assert (unknown.returncode, "has no masks of 'z'" in unknown.stderr) == (2, True)

    # A file of masks that is lost, of which the next manifest has one video.
    for path in (output / "masks").iterdir():
        path.unlink()
    verified = stcn("verify", output)
    assert verified.returncode == 1
    notes = segment(manifests, "few", "--model", model_file, "--only", "a")
    assert "c: its masks are gone" in notes
    assert statuses(output) == {"a": "done", "b": "pending", "c": "pending", "e": "pending"}
    verified = stcn("verify", output)
    assert verified.returncode == 1
    for video in ("b", "c", "e"):
        assert f"video '{video}' was done by run" in verified.stdout
    segment(manifests, "all", "--model", model_file)
    assert set(statuses(output).values()) == {"done"}
    assert stcn("verify", output).returncode == 0


def test_forgotten_videos_are_gone_and_can_come_back(ray_cluster: str, manifests: Path, model_file: Path) -> None:
    output = manifests / "out"
    segment(manifests, "all", "--model", model_file, "--frames-per-shard", "1000")
    refused = stcn("forget", output, "a", "x")
    assert (refused.returncode, statuses(output)) == (2, dict.fromkeys(IDS, "done"))
    assert "has no video 'x'; legal: a video_id of videos/videos.parquet" in refused.stderr
    forgotten = stcn("forget", output, "a", "c")
    assert forgotten.stdout.startswith("2 videos are forgotten, and ")
    assert statuses(output) == {"b": "done", "e": "done"}
    left = {v for table in store.read_masks(str(output)) for v in table["video_id"].to_pylist()}
    assert left == {"b", "e"}
    assert stcn("verify", output).returncode == 0
    segment(manifests, "few", "--model", model_file)
    assert statuses(output) == {"a": "done", "b": "done", "e": "done"}
    assert stcn("verify", output).returncode == 0


def test_redo_and_only_choose_videos_of_the_manifest(ray_cluster: str, manifests: Path, model_file: Path) -> None:
    output = manifests / "out"
    segment(manifests, "all", "--model", model_file, "--only", "a", "--only", "c")
    before = {row.video_id: row for row in read_video_rows(str(output))}
    assert sorted(before) == ["a", "c"]
    assert stcn("verify", output).returncode == 0
    segment(manifests, "all", "--model", model_file, "--redo", "a", "--only", "a")
    after = {row.video_id: row for row in read_video_rows(str(output))}
    assert (after["a"].run != before["a"].run, after["c"].run) == (True, before["c"].run)
    assert after["a"].masks == before["a"].masks
    config = json.loads((output / "run.json").read_text())["config"]
    assert {"only", "redo"} & set(config) == set()
    unknown = stcn("segment", manifests / "all.csv", output, "--only", "z")
    assert unknown.returncode == 2
    assert f"--only z: {manifests}/all.csv has no such video_id" in unknown.stderr
    shutil.rmtree(output / "runs")  # as in an output from before: the last run's options count
    assert RunConfigs(str(output)).of(after["c"]).manifest == str(manifests / "all.csv")
