"""A selection is a smaller output that every reader accepts, with a report of what was kept and dropped."""

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq
import pytest

from jobs.cli import label_commands
from jobs.commands.evaluate import evaluate_output
from jobs.commands.export import export_output
from jobs.commands.overlay import overlay_output
from jobs.commands.select import select_output
from jobs.errors import UserError
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs import store
from jobs.outputs.selection_folder import SELECTION_FILE
from jobs.planning.run_record import read_config, read_video_rows
from jobs.records import VideoRow
from jobs.scores.trust_curves import trust_curves
from jobs.selections.criteria import Criteria
from jobs.selections.judging import REASONS
from tests.jobs.commands.outputs import made_up, mask_rows, write_masks
from tests.jobs.commands.selected import content_of, mean_region, table_of
from tests.jobs.commands.test_export import write_run
from tests.parts import stcn


@pytest.mark.parametrize("unit", ["frame", "mask"])
def test_best_half_removes_half_of_the_error(unit: Literal["frame", "mask"], clips: Path, tmp_path: Path) -> None:
    report = select_output(str(clips / "out"), str(tmp_path), Criteria(best=0.5, unit=unit))
    everything, best = (mean_region(output, clips / "truth") for output in (clips / "out", tmp_path))
    assert best >= (1 + everything) / 2
    kept, dropped = (report.total[0][REASONS.index(reason)] for reason in ("kept", "best"))
    assert kept - (4 if unit == "frame" else 6) - dropped in (0, 1)  # prompts are not counted


def test_selection_is_scored_on_its_own_frames(clips: Path, tmp_path: Path) -> None:
    select_output(str(clips / "out"), str(tmp_path), Criteria(best=0.5))
    whole, best = (evaluate_output(str(output), str(clips / "truth")) for output in (clips / "out", tmp_path))
    assert sum(score.missing for score in best.objects) == 0
    assert sum(score.frames for score in best.objects) < sum(score.frames for score in whole.objects)
    (curve,) = (curve for curve in trust_curves(best.frames) if curve.name == "trust")
    assert curve.spearman is not None
    assert not any(curve.name == "trust" for curve in trust_curves(whole.frames))  # only a selection has it


def test_only_selects_from_the_videos_asked_for(clips: Path, tmp_path: Path) -> None:
    output, dest = str(clips / "out"), str(tmp_path / "sel")
    chosen, other, *_ = sorted({row["video_id"] for row in table_of(output).to_pylist()})
    report = select_output(output, dest, Criteria(only=[chosen]))
    rows = table_of(dest).to_pylist()
    assert {row["video_id"] for row in rows} == {chosen} == set(report.videos)
    assert [row.video_id for row in read_video_rows(dest)] == [chosen]
    assert len(rows) == sum(row["video_id"] == chosen for row in table_of(output).to_pylist())
    assert other not in report.describe()
    with pytest.raises(UserError, match="no masks of 'typo'; legal: ids of videos that are done, such as '"):
        select_output(output, str(tmp_path / "none"), Criteria(only=[chosen, "typo"]))
    assert not (tmp_path / "none").exists()


def test_every_reader_accepts_a_selection(clips: Path, tmp_path: Path) -> None:
    output, dest = str(clips / "out"), str(tmp_path / "sel")
    select_output(output, dest, Criteria(every=3, min_stability=0.3))
    chosen, source = table_of(dest), table_of(output)
    assert chosen.schema.names == [*store.MASKS.names, "trust"]
    assert pq.read_schema(store.mask_files(dest)[0].location).metadata[b"stcn_schema"] == b"masks/2"
    assert all(row in source.to_pylist() for row in chosen.drop_columns(["trust"]).to_pylist())
    assert set(chosen["frame_index"].to_pylist()) <= set(range(0, 16, 3))
    rows = {row.video_id: row for row in read_video_rows(dest)}
    for masks in masks_by_video(dest):
        row, of_source = rows[masks.video_id], next(r for r in read_video_rows(output) if r.video_id == masks.video_id)
        assert (row.masks, f"{dest}/masks/{row.masks_file}") == (len(masks.rows), masks.file)
        assert (row.video, row.tracks, row.frames_per_second) == (of_source.video, of_source.tracks, 24)
    assert set(rows) == set(chosen["video_id"].to_pylist())
    assert export_output(dest, tmp_path / "png", "davis").masks == len(chosen)
    assert all(isinstance(result, Path) for _, result in overlay_output(dest, tmp_path / "overlays"))
    assert read_config(dest).manifest == str(clips / "manifest.csv")
    about = json.loads((tmp_path / "sel" / SELECTION_FILE).read_bytes())
    assert (about["source"], about["criteria"]["every"], about["kept"]["masks"]) == (output, 3, len(chosen))
    assert sum(dropped["masks"] for dropped in about["dropped"].values()) == len(source) - len(chosen)


def test_repeated_selection_is_identical_and_replaces_an_earlier_one(clips: Path, tmp_path: Path) -> None:
    output = str(clips / "out")
    for dest, best in (("a", 0.5), ("b", 0.9), ("b", 0.5)):
        select_output(output, str(tmp_path / dest), Criteria(best=best))
    assert content_of(tmp_path / "a") == content_of(tmp_path / "b")


def test_selection_of_a_selection_keeps_its_trust(tmp_path: Path) -> None:
    """A selection may lack the prompts by which cuts are found, so the stored trust is used."""
    rows = mask_rows("v", 12)
    for row in rows:
        row["scene"] = row["frame_index"] // 6
    made_up(tmp_path / "out", rows)
    select_output(str(tmp_path / "out"), str(tmp_path / "one"), Criteria(prompts=False))
    select_output(str(tmp_path / "one"), str(tmp_path / "two"), Criteria(every=2))
    one, two = table_of(tmp_path / "one"), table_of(tmp_path / "two")
    assert two.to_pylist() == one.take(list(range(0, 11, 2))).to_pylist()
    trust = dict(zip(one["frame_index"].to_pylist(), one["trust"].to_pylist(), strict=True))
    assert trust[6] < 0.51 < trust[5]


def test_cut_lowers_trust_only_between_mask_and_nearest_prompt(tmp_path: Path) -> None:
    """The cut is before frame 4. Object 1 of v is prompted on frames 0 and 8, object 2 on frame 0 alone."""
    rows = mask_rows("u", 10) + mask_rows("v", 10, (1, 2))
    for row in rows:
        frame, is_twice = row["frame_index"], row["video_id"] == "v" and row["object_id"] == 1
        distance = min(frame, abs(8 - frame)) if is_twice else frame
        row.update(scene=0 if row["video_id"] == "u" else int(frame >= 4), prompt_distance=distance)
        row["is_prompt"] = distance == 0
    made_up(tmp_path / "out", rows)
    select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria())
    doubted = {(r["video_id"], r["object_id"], r["frame_index"]) for r in table_of(tmp_path / "sel").to_pylist()
               if r["trust"] < 0.5}  # fmt: skip
    assert doubted == {("v", 2, frame) for frame in range(4, 10)}


def test_frames_across_row_groups_are_judged_as_one(tmp_path: Path) -> None:
    rows = mask_rows("v", 3_001, range(1, 8))
    for row in rows:
        row["score"] = 0.1 if row["frame_index"] % 3 == 1 and row["object_id"] == 7 else 1.0
    made_up(tmp_path / "out", rows)
    select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria(min_score=0.5))
    kept = [row for row in rows if row["frame_index"] % 3 != 1]
    found = table_of(tmp_path / "sel")
    for name in ("frame_index", "object_id"):
        assert found[name].to_pylist() == [row[name] for row in kept]


def test_videos_not_done_or_not_in_the_manifest_are_dropped(tmp_path: Path) -> None:
    made_up(tmp_path / "out", [row for name in "abc" for row in mask_rows(name, 4)])
    done = VideoRow(video_id="a", work_id="w", status="done", video="v", prompts="p", masks_file="m.parquet")
    write_run(tmp_path / "out", [done, dataclasses.replace(done, video_id="b", status="pending")])
    report = select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria())
    assert set(table_of(tmp_path / "sel")["video_id"].to_pylist()) == {"a"}
    assert "dropped 4 by video not done, or forgotten" in report.describe()


def test_file_not_named_by_the_videos_table_adds_no_masks(tmp_path: Path) -> None:
    """Such a file was never committed, or has been replaced; `verify` reports it."""
    output = made_up(tmp_path / "out", mask_rows("v", 4))
    write_masks(output, "orphan.parquet", store.masks_table(mask_rows("v", 6)))
    report = select_output(output, str(tmp_path / "sel"), Criteria())
    assert len(table_of(tmp_path / "sel")) == 4
    assert report.as_dict()["dropped"] == {"video": {"frames": 6, "masks": 6}}


def test_report_lists_reasons_and_the_worst_videos_first(tmp_path: Path) -> None:
    rows = [row | {"score": (i % 10) / 10} for n in range(12) for i, row in enumerate(mask_rows(f"v{n:02d}\n", 10 + n))]
    made_up(tmp_path / "out", rows)
    report = select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria(min_score=0.45, every=2))
    lines = report.describe().splitlines()
    assert lines[0] == "kept 44 of 186 frames, 44 of 186 masks, in 12 of 12 videos"
    assert lines[1].split() == ["dropped", "by", "the", "first", "of", "frames", "masks"]
    assert [line.rsplit(maxsplit=2) for line in lines[2:4]] == [
        ["  --every 2", "90", "90"], ["  --min-score 0.45", "52", "52"],
    ]  # fmt: skip
    assert lines[4].startswith("  v06\\n: 3 of 16 frames kept; dropped 8 by --every 2, 5 by --min-score 0.45")
    assert (len(lines), lines[-1]) == (15, "  ... and 2 more")


def test_flags_match_the_fields_of_criteria() -> None:
    flags = {name: p.default for name, p in inspect.signature(label_commands.select).parameters.items()}
    del flags["output"], flags["dest"]
    assert Criteria(**flags) == Criteria()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--best", "0.5"), 0, "dropped by the first of"),
        (("--best", "2"), 2, "--best 2.0 is not usable; legal: more than 0, up to 1"),
        (("--min-cycle", "0.5"), 2, "run `stcn segment` with --cycle-check first"),
    ],
)
def test_command_exits_with_the_documented_code(
    options: tuple[str, ...], code: int, message: str, clips: Path, tmp_path: Path
) -> None:
    result = stcn("select", clips / "out", tmp_path / "sel", *options)
    assert (result.returncode, "Traceback" in result.stderr) == (code, False)
    assert message in result.stdout + result.stderr
    assert (tmp_path / "sel").exists() == (code == 0)
