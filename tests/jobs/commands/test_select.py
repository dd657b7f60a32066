"""A selection is a smaller output that every reader takes; whole or said to be not; and nothing else is harmed."""

import dataclasses
import inspect
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import torch

from jobs import cli
from jobs.commands import select
from jobs.commands.archive import DrawnVideo
from jobs.commands.evaluate import evaluate_output
from jobs.commands.export import export_output
from jobs.commands.overlay import overlay_output
from jobs.commands.select import select_output
from jobs.commands.verify import verify
from jobs.errors import UserError
from jobs.inputs.prompts.label_images import read_labels
from jobs.io import storage
from jobs.job import prepare
from jobs.last_run import read_config
from jobs.outputs import rle, store
from jobs.outputs.selection import SELECTION_FILE
from jobs.outputs.stored_masks import masks_by_video
from jobs.records import Track, VideoRow
from jobs.scores.trust_curves import trust_curves
from jobs.selections.criteria import Criteria
from jobs.selections.judging import REASONS
from jobs.status import read_status
from stcn_core import for_inference, load_model
from stcn_core.metrics import region_similarity
from tests.flipped import check_flips_are_told
from tests.jobs.commands.outputs import made_up, mask_rows, segmented, write_masks
from tests.jobs.commands.test_export import write_run
from tests.parts import stcn

CLIPS = [DrawnVideo(f"clip{i}", 900 + i, 16, 240, 320, Fraction(24), objects=1 + i % 2) for i in range(4)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips with known masks, segmented by the shipped model: archive and out/. At 240p: below, it knows little."""
    torch.set_num_threads(1)
    return segmented(CLIPS, tmp_path_factory.mktemp("clips"), for_inference(load_model("stcn-mini"))).parent


def table_of(output: Path | str) -> Any:
    return ds.dataset(f"{output}/masks").to_table()


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mean_region(output: Path, truth: Path) -> float:
    """Mean J of all masks that are no prompts."""
    values = []
    for row in table_of(output).filter(~ds.field("is_prompt")).to_pylist():
        true = read_labels(truth / row["video_id"] / f"{row['frame_index']:05d}.png") == row["object_id"]
        values.append(region_similarity(rle.decode(row["counts"], row["height"], row["width"]), true))
    return float(np.mean(values))


@pytest.mark.parametrize("unit", ["frame", "mask"])
def test_the_best_half_is_better_by_half_of_what_is_missing(unit: str, clips: Path, tmp_path: Path) -> None:
    tally = select_output(str(clips / "out"), str(tmp_path), Criteria(best=0.5, unit=unit))
    everything, best = (mean_region(output, clips / "truth") for output in (clips / "out", tmp_path))
    assert best >= (1 + everything) / 2
    kept, dropped = (tally.total[0][REASONS.index(reason)] for reason in ("kept", "best"))
    assert kept - (4 if unit == "frame" else 6) - dropped in (0, 1)  # prompts are not counted


def test_a_selection_is_scored_on_what_it_holds(clips: Path, tmp_path: Path) -> None:
    select_output(str(clips / "out"), str(tmp_path), Criteria(best=0.5))
    whole, best = (evaluate_output(str(output), str(clips / "truth")) for output in (clips / "out", tmp_path))
    assert sum(score.missing for score in best.objects) == 0
    assert sum(score.frames for score in best.objects) < sum(score.frames for score in whole.objects)
    (curve,) = (curve for curve in trust_curves(best.frames) if curve.name == "trust")
    assert curve.spearman is not None
    assert not any(curve.name == "trust" for curve in trust_curves(whole.frames))  # only a selection has it


def test_every_reader_takes_a_selection(clips: Path, tmp_path: Path) -> None:
    output, dest = str(clips / "out"), str(tmp_path / "sel")
    select_output(output, dest, Criteria(every=3, min_stability=0.3))
    chosen, source = table_of(dest), table_of(output)
    assert chosen.schema.names == [*store.MASKS.names, "trust"]
    assert pq.read_schema(store.mask_files(dest)[0].location).metadata[b"stcn_schema"] == b"masks/2"
    assert all(row in source.to_pylist() for row in chosen.drop_columns(["trust"]).to_pylist())
    assert set(chosen["frame_index"].to_pylist()) <= set(range(0, 16, 3))
    rows = {row.video_id: row for row in read_status(dest)}
    for masks in masks_by_video(dest):
        row, of_source = rows[masks.video_id], next(r for r in read_status(output) if r.video_id == masks.video_id)
        assert (row.masks, f"{dest}/masks/{row.masks_file}") == (len(masks.rows), masks.file)
        assert (row.video, row.tracks, row.frames_per_second) == (of_source.video, of_source.tracks, 24)
    assert set(rows) == set(chosen["video_id"].to_pylist())
    assert export_output(dest, tmp_path / "png", "davis").masks == len(chosen)
    assert all(isinstance(result, Path) for _, result in overlay_output(dest, tmp_path / "overlays"))
    assert read_config(dest).manifest == str(clips / "manifest.csv")
    about = json.loads((tmp_path / "sel" / SELECTION_FILE).read_bytes())
    assert (about["source"], about["criteria"]["every"], about["kept"]["masks"]) == (output, 3, len(chosen))
    assert sum(dropped["masks"] for dropped in about["dropped"].values()) == len(source) - len(chosen)


def test_the_same_selection_is_the_same_bytes_and_another_leaves_nothing_of_it(clips: Path, tmp_path: Path) -> None:
    output = str(clips / "out")
    for dest, best in (("a", 0.5), ("b", 0.9), ("b", 0.5)):
        select_output(output, str(tmp_path / dest), Criteria(best=best))
    assert content_of(tmp_path / "a") == content_of(tmp_path / "b")


def test_a_selection_of_a_selection(tmp_path: Path) -> None:
    """Which may lack the prompts that tell on which side of a cut they lie: trust is that of before."""
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


def test_a_cut_counts_only_towards_the_nearest_prompt(tmp_path: Path) -> None:
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


def test_frames_that_lie_across_row_groups_are_whole(tmp_path: Path) -> None:
    rows = mask_rows("v", 3_001, range(1, 8))
    for row in rows:
        row["score"] = 0.1 if row["frame_index"] % 3 == 1 and row["object_id"] == 7 else 1.0
    made_up(tmp_path / "out", rows)
    select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria(min_score=0.5))
    kept = [row for row in rows if row["frame_index"] % 3 != 1]
    found = table_of(tmp_path / "sel")
    for name in ("frame_index", "object_id"):
        assert found[name].to_pylist() == [row[name] for row in kept]


def test_videos_that_are_not_done_or_gone_from_the_manifest_are_left_out(tmp_path: Path) -> None:
    made_up(tmp_path / "out", [row for name in "abc" for row in mask_rows(name, 4)])
    done = VideoRow("a", "w", "done", "v", "p", masks_file="m.parquet")
    write_run(tmp_path / "out", [done, dataclasses.replace(done, video_id="b", status="pending")])
    tally = select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria())
    assert set(table_of(tmp_path / "sel")["video_id"].to_pylist()) == {"a"}
    assert "dropped 4 by video not done, or no longer in the manifest" in tally.describe()


def test_a_file_that_the_videos_table_does_not_name_gives_no_second_masks(tmp_path: Path) -> None:
    """As it was never committed, or is replaced; `verify` names it."""
    output = made_up(tmp_path / "out", mask_rows("v", 4))
    write_masks(output, "orphan.parquet", store.masks_table(mask_rows("v", 6)))
    tally = select_output(output, str(tmp_path / "sel"), Criteria())
    assert len(table_of(tmp_path / "sel")) == 4
    assert tally.as_dict()["dropped"] == {"video": {"frames": 6, "masks": 6}}


def test_what_was_dropped_is_told_by_reason_and_the_worst_videos_first(tmp_path: Path) -> None:
    rows = [row | {"score": (i % 10) / 10} for n in range(12) for i, row in enumerate(mask_rows(f"v{n:02d}\n", 10 + n))]
    made_up(tmp_path / "out", rows)
    tally = select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria(min_score=0.45, every=2))
    lines = tally.describe().splitlines()
    assert lines[0] == "kept 44 of 186 frames, 44 of 186 masks, in 12 of 12 videos"
    assert lines[1].split() == ["dropped", "by", "the", "first", "of", "frames", "masks"]
    assert [line.rsplit(maxsplit=2) for line in lines[2:4]] == [
        ["  --every 2", "90", "90"], ["  --min-score 0.45", "52", "52"],
    ]  # fmt: skip
    assert lines[4].startswith("  v06\\n: 3 of 16 frames kept; dropped 8 by --every 2, 5 by --min-score 0.45")
    assert (len(lines), lines[-1]) == (15, "  ... and 2 more")


@pytest.mark.parametrize("writes", range(6))
def test_a_selection_that_was_cut_off_is_not_taken_for_one(
    writes: int, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the note that it is unfinished: two files of masks, the table of videos, run.json, selection.json."""
    output, dest, write = str(clips / "out"), str(tmp_path / "sel"), storage.write
    left = iter(range(writes))

    def cut_off(location: str, content: bytes) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(location, content)

    select_output(output, dest, Criteria(best=0.2))
    before = content_of(tmp_path / "sel")
    monkeypatch.setattr(storage, "write", cut_off)
    with pytest.raises(KeyboardInterrupt):
        select_output(output, dest, Criteria(best=0.5, every=7))
    monkeypatch.undo()
    if writes == 0:
        assert content_of(tmp_path / "sel") == before
        return
    assert not (tmp_path / "sel" / SELECTION_FILE).exists()
    for reader in (lambda: list(masks_by_video(dest)), lambda: export_output(dest, tmp_path / "png", "davis")):
        with pytest.raises(UserError, match="not finished; run the same `stcn select` again"):
            reader()
    for name in ("sel", "undisturbed"):
        select_output(output, str(tmp_path / name), Criteria(best=0.5, every=7))
    assert content_of(tmp_path / "sel") == content_of(tmp_path / "undisturbed")


def test_what_else_stands_at_the_destination_is_not_touched(clips: Path, tmp_path: Path) -> None:
    output, other = str(clips / "out"), tmp_path / "other"
    (other / "masks").mkdir(parents=True)
    (other / "masks/mine.parquet").write_bytes(b"mine")
    before = content_of(other) | content_of(clips)
    for dest in (str(other), output, str(clips)):
        with pytest.raises(UserError, match="DEST"):
            select_output(output, dest, Criteria())
    assert content_of(other) | content_of(clips) == before
    select_output(output, str(tmp_path / "sel"), Criteria())
    (tmp_path / "link").symlink_to(tmp_path / "sel")
    chosen = content_of(tmp_path / "sel")
    for dest in (f"{tmp_path}/sel/", f"file://{tmp_path}/sel", f"{tmp_path}/other/../sel", f"{tmp_path}/link"):
        with pytest.raises(UserError, match="is OUTPUT itself"):
            select_output(str(tmp_path / "sel"), dest, Criteria(every=2))
    assert content_of(tmp_path / "sel") == chosen


def test_what_keeps_nothing_leaves_an_earlier_selection(clips: Path, tmp_path: Path) -> None:
    output, dest = str(clips / "out"), str(tmp_path / "sel")
    select_output(output, dest, Criteria())
    before = content_of(tmp_path / "sel")
    with pytest.raises(UserError, match=r"nothing is kept, and nothing is written(.|\n)*--min-area 99999"):
        select_output(output, dest, Criteria(min_area=99_999, prompts=False))
    assert content_of(tmp_path / "sel") == before


def test_a_selection_is_no_output_to_work_on(clips: Path, tmp_path: Path) -> None:
    """A run there would begin from nothing, beside masks that no log knows."""
    dest = str(tmp_path / "sel")
    select_output(str(clips / "out"), dest, Criteria())
    for work in (lambda: prepare(read_config(dest)), lambda: verify(dest)):
        with pytest.raises(UserError, match="is a selection; legal: an output of `stcn segment`"):
            work()


def damaged(change: Callable[[Any], Any]) -> Any:
    return change(store.masks_table(mask_rows("v", 4, (1, 2))))


def without(name: str, value: object) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        values = [value, *table[name].to_pylist()[1:]]
        return table.set_column(table.column_names.index(name), name, pa.array(values, table.schema.field(name).type))

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.drop_columns(["stability", "scene"]), r"it lacks the columns \['scene', 'stability'\]"),
        (lambda t: t.drop_columns(["counts"]), r"it lacks the columns \['counts'\]"),
        (without("is_prompt", None), "its column is_prompt has nulls"),
        (without("counts", None), "its column counts has nulls"),
        (without("object_id", -1), "its column object_id holds -1"),
        (lambda t: t.take([1, 0, *range(2, 8)]), "row 1 is out of order, or there twice"),
        (lambda t: t.take([0, 1, 2, 2, 3]), "row 3 is out of order, or there twice"),
        (lambda t: t.set_column(0, "video_id", pa.array(list("vwvvvvvv"))), "row 2 is out of order, or there twice"),
        (lambda t: t.append_column("score", t["score"]), "score"),
        (lambda t: t.set_column(11, "score", pa.array(["good"] * 8)), "good"),
        (lambda t: t.append_column("trust", pa.array(["good"] * 8)), "good"),
        (lambda t: t.set_column(0, "video_id", pa.array([b"\xff"] * 8).view("string")), "UTF-?8"),
    ],
)
def test_what_is_no_table_of_masks_is_named(change: Callable[[Any], Any], reason: str, tmp_path: Path) -> None:
    made_up(tmp_path / "out", mask_rows("v", 4))
    pq.write_table(damaged(change), tmp_path / "out/masks/m.parquet")
    with pytest.raises(UserError, match=f"{tmp_path}/out/masks/m.parquet is damaged: .*{reason}.* `stcn verify"):
        select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria())


def test_what_is_not_known_of_a_mask_is_not_enough(tmp_path: Path) -> None:
    """Another program may have made the table, and left scores out, or written no row at all."""
    output = made_up(tmp_path / "out", [row | {"score": None, "stability": None} for row in mask_rows("v", 4)])
    write_masks(output, "none.parquet", store.MASKS.empty_table())
    for criteria, kept in ((Criteria(), 4), (Criteria(min_score=0), 1), (Criteria(min_trust=0.5), 1)):
        select_output(output, str(tmp_path / "sel"), criteria)
        assert len(table_of(tmp_path / "sel")) == kept


def test_no_flipped_byte_raises_anything_else(tmp_path: Path) -> None:
    output = made_up(tmp_path / "out", mask_rows("v", 40, (1, 2)))

    def select() -> None:
        select_output(output, str(tmp_path / "sel"), Criteria(best=0.5, max_per_video=3))

    check_flips_are_told(tmp_path / "out/masks/m.parquet", select, flips=100)


def test_a_file_that_goes_while_it_is_read_is_no_damage(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(location: str) -> bytes:
        raise FileNotFoundError(location)

    read = storage.read
    monkeypatch.setattr(storage, "read", lambda location: gone(location) if "/masks/" in location else read(location))
    with pytest.raises(UserError, match="is gone: a run is at work on .*; select again when it is done"):
        select_output(str(clips / "out"), str(tmp_path / "sel"), Criteria())


def test_ids_become_no_paths(tmp_path: Path) -> None:
    ids = sorted(["../x", "/etc/x", "a/b", "\x1b[2J", "y" * 300])
    made_up(tmp_path / "out", [row for name in ids for row in mask_rows(name, 2)])
    text = select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria(every=2)).describe()
    assert table_of(tmp_path / "sel")["video_id"].to_pylist() == ids
    assert {path.name for path in tmp_path.iterdir()} == {"out", "sel"}
    assert "\x1b" not in text


def test_one_file_is_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --best; with it, a few numbers of each unit."""
    output = made_up(tmp_path / "out", mask_rows("v", 2))
    for n in range(4):
        write_masks(output, f"n{n}.parquet", store.masks_table(mask_rows("v", 2)))
    order: list[str] = []

    def noting(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any) -> Any:
            order.append(name)
            return work(*args)

        return noted

    for name in ("read_columns", "judge", "spread"):
        monkeypatch.setattr(select, name, noting(name, getattr(select, name)))
    select_output(output, str(tmp_path / "sel"), Criteria(max_per_video=1))
    assert order[:6] == ["read_columns", "judge", "spread"] * 2


def test_a_selection_in_a_bucket(bucket: str, clips: Path, tmp_path: Path) -> None:
    for path in (clips / "out").rglob("*"):
        if path.is_file():
            storage.write(f"{bucket}/out/{path.relative_to(clips / 'out')}", path.read_bytes())
    for criteria in (Criteria(), Criteria(best=0.5)):
        select_output(f"{bucket}/out", f"{bucket}/sel", criteria)
    select_output(str(clips / "out"), str(tmp_path / "sel"), Criteria(best=0.5))
    found = {file: storage.read(f"{bucket}/sel/{file}") for file in content_of(tmp_path / "sel") if "json" not in file}
    assert found == {file: content for file, content in content_of(tmp_path / "sel").items() if "json" not in file}
    assert [storage.name_of(file.location) for file in store.mask_files(f"{bucket}/sel")] == sorted(
        path.name for path in (tmp_path / "sel/masks").iterdir()
    )
    with pytest.raises(UserError, match="is OUTPUT itself"):
        select_output(f"{bucket}/sel", f"{bucket}/sel/", Criteria())


def test_flags_are_the_criteria() -> None:
    flags = {name: p.default for name, p in inspect.signature(cli.select).parameters.items()}
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
def test_the_command(options: tuple[str, ...], code: int, message: str, clips: Path, tmp_path: Path) -> None:
    result = stcn("select", clips / "out", tmp_path / "sel", *options)
    assert (result.returncode, "Traceback" in result.stderr) == (code, False)
    assert message in result.stdout + result.stderr
    assert (tmp_path / "sel").exists() == (code == 0)


def test_there_must_have_been_a_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        select_output(str(tmp_path / "none"), str(tmp_path / "sel"), Criteria())
    made_up(tmp_path / "out", mask_rows("v", 2), {"v": (Track(1, 2),)})
    pq.write_table(pa.table({"video_id": ["v"]}), tmp_path / "out/videos/videos.parquet")
    result = stcn("select", tmp_path / "out", tmp_path / "sel")
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    assert "videos.parquet is of another version" in result.stderr
