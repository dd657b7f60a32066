"""A selection is complete or absent, touches nothing else, and names damaged files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.commands import select
from jobs.commands.export import export_output
from jobs.commands.select import select_output
from jobs.commands.verify import verify
from jobs.errors import UserError
from jobs.io import storage
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs import store
from jobs.outputs.selection_folder import SELECTION_FILE
from jobs.planning.job import prepare_job
from jobs.planning.run_record import read_config
from jobs.records import Track
from jobs.selections.criteria import Criteria
from tests.bit_flips import check_flips_are_told
from tests.jobs.commands.outputs import made_up, mask_rows, write_masks
from tests.jobs.commands.selected import content_of, table_of
from tests.parts import stcn


@pytest.mark.parametrize("writes", range(6))
def test_interrupted_selection_is_refused_by_readers_and_resumable(
    writes: int, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted before each write: the unfinished marker, two mask files, the videos, run.json and selection.json."""
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


def test_other_content_at_the_destination_is_not_touched(clips: Path, tmp_path: Path) -> None:
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


def test_selection_that_keeps_nothing_leaves_an_earlier_one(clips: Path, tmp_path: Path) -> None:
    output, dest = str(clips / "out"), str(tmp_path / "sel")
    select_output(output, dest, Criteria())
    before = content_of(tmp_path / "sel")
    with pytest.raises(UserError, match=r"nothing is kept, so nothing is written(.|\n)*--min-area 99999"):
        select_output(output, dest, Criteria(min_area=99_999, prompts=False))
    assert content_of(tmp_path / "sel") == before


def test_segment_and_verify_refuse_a_selection(clips: Path, tmp_path: Path) -> None:
    """A run there would start from scratch, beside masks that no log knows."""
    dest = str(tmp_path / "sel")
    select_output(str(clips / "out"), dest, Criteria())
    for work in (lambda: prepare_job(read_config(dest)), lambda: verify(dest)):
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
        (lambda t: t.take([1, 0, *range(2, 8)]), "row 1 is out of order or repeated"),
        (lambda t: t.take([0, 1, 2, 2, 3]), "row 3 is out of order or repeated"),
        (lambda t: t.set_column(0, "video_id", pa.array(list("vwvvvvvv"))), "row 2 is out of order or repeated"),
        (lambda t: t.append_column("score", t["score"]), "score"),
        (lambda t: t.set_column(11, "score", pa.array(["good"] * 8)), "good"),
        (lambda t: t.append_column("trust", pa.array(["good"] * 8)), "good"),
        (lambda t: t.set_column(0, "video_id", pa.array([b"\xff"] * 8).view("string")), "UTF-?8"),
    ],
)
def test_malformed_mask_file_raises_with_its_name(change: Callable[[Any], Any], reason: str, tmp_path: Path) -> None:
    made_up(tmp_path / "out", mask_rows("v", 4))
    pq.write_table(damaged(change), tmp_path / "out/masks/m.parquet")
    with pytest.raises(UserError, match=f"{tmp_path}/out/masks/m.parquet is damaged: .*{reason}.* `stcn verify"):
        select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria())


def test_null_score_or_stability_fails_every_threshold(tmp_path: Path) -> None:
    """Another program may have written a table without scores, or without rows."""
    output = made_up(tmp_path / "out", [row | {"score": None, "stability": None} for row in mask_rows("v", 4)])
    write_masks(output, "none.parquet", store.MASKS.empty_table())
    for criteria, kept in ((Criteria(), 4), (Criteria(min_score=0), 1), (Criteria(min_trust=0.5), 1)):
        select_output(output, str(tmp_path / "sel"), criteria)
        assert len(table_of(tmp_path / "sel")) == kept


def test_flipped_bytes_raise_user_error_only(tmp_path: Path) -> None:
    output = made_up(tmp_path / "out", mask_rows("v", 40, (1, 2)))

    def select() -> None:
        select_output(output, str(tmp_path / "sel"), Criteria(best=0.5, max_per_video=3))

    check_flips_are_told(tmp_path / "out/masks/m.parquet", select, flips=100)


def test_file_removed_during_reading_is_not_reported_as_damage(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(location: str, folder: Path) -> Path:
        raise FileNotFoundError(location)

    monkeypatch.setattr(storage, "download", gone)
    with pytest.raises(UserError, match="is gone: a run may have replaced it; open .* again"):
        select_output(str(clips / "out"), str(tmp_path / "sel"), Criteria())


def test_ids_cannot_escape_the_selections_folder(tmp_path: Path) -> None:
    ids = sorted(["../x", "/etc/x", "a/b", "\x1b[2J", "y" * 300])
    made_up(tmp_path / "out", [row for name in ids for row in mask_rows(name, 2)])
    text = select_output(str(tmp_path / "out"), str(tmp_path / "sel"), Criteria(every=2)).describe()
    assert table_of(tmp_path / "sel")["video_id"].to_pylist() == ids
    assert {path.name for path in tmp_path.iterdir()} == {"out", "sel"}
    assert "\x1b" not in text


def test_one_file_at_a_time_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds without --best. With it, a few numbers per unit are also in memory."""
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


def test_selection_in_a_bucket_equals_a_local_one(bucket: str, clips: Path, tmp_path: Path) -> None:
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


def test_output_without_a_run_or_of_another_version_raises(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        select_output(str(tmp_path / "none"), str(tmp_path / "sel"), Criteria())
    made_up(tmp_path / "out", mask_rows("v", 2), {"v": (Track(object_id=1, frames=2),)})
    pq.write_table(pa.table({"video_id": ["v"]}), tmp_path / "out/videos/videos.parquet")
    result = stcn("select", tmp_path / "out", tmp_path / "sel")
    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    assert "videos.parquet is of another version" in result.stderr
