"""Promise: while files are merged, a plain reader sees no mask twice, and the product's readers see each one once."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.commands.export import export_output
from jobs.commands.select import select_output
from jobs.commands.verify import verify
from jobs.dataset.mask_index import read_index
from jobs.dataset.mask_rows import MaskRows
from jobs.errors import UserError
from jobs.io import storage
from jobs.ledger.held_masks import HeldMasks
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs import store
from jobs.planning import merge_plan
from jobs.selections.criteria import Criteria
from tests.jobs.ledger.merged_output import LedgerOutput, labels_of, ledger_output

VIDEOS = "abcdefghijkl"
Key = tuple[str, int, int]  # video, frame, object
EVERY = Counter({(v, frame, n): 1 for v in VIDEOS for frame in range(len(labels_of(v))) for n in (1, 2)})


@pytest.fixture
def made(tmp_path: Path) -> LedgerOutput:
    return ledger_output(tmp_path, VIDEOS)


@pytest.fixture(params=["local", "s3"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> LedgerOutput:
    return ledger_output(tmp_path if request.param == "local" else request.getfixturevalue("bucket"), VIDEOS)


def keys(rows: list[store.MaskRow]) -> list[Key]:
    return [(row["video_id"], row["frame_index"], row["object_id"]) for row in rows]


def video_by_video(output: str, folder: Path) -> Counter[Key]:
    """As evaluate and overlay read."""
    return Counter(key for masks in masks_by_video(output) for key in keys(masks.rows))


def frame_by_frame(output: str, folder: Path) -> Counter[Key]:
    """As MaskDataset reads."""
    index = read_index(output, set(VIDEOS))
    rows = MaskRows(index)
    return Counter(key for frame in range(len(index)) for key in keys(rows.masks(frame).rows))


def selected(output: str, folder: Path) -> Counter[Key]:
    select_output(output, str(folder), Criteria())
    return Counter(key for table in store.read_masks(str(folder)) for key in keys(table.to_pylist()))


def exported(output: str, folder: Path) -> Counter[Key]:
    """The PNGs, which another test compares with the masks, as keys of their frames."""
    export_output(output, folder, "davis")
    found = [path for path in folder.rglob("*.png") if path.parent.name in VIDEOS]
    return Counter((path.parent.name, int(path.stem), n) for path in found for n in (1, 2))


READERS: list[Callable[[str, Path], Counter[Key]]] = [video_by_video, frame_by_frame, selected, exported]
OF_ALL = pytest.mark.parametrize("read", READERS, ids=[read.__name__ for read in READERS])


@OF_ALL
def test_compaction_between_listing_and_reading(
    read: Callable[[str, Path], Counter[Key]], anywhere: LedgerOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader knows its files; when it opens the first of them, all are merged."""
    begun = HeldMasks.__init__

    def then_compact(self: HeldMasks, *arguments: Any) -> None:
        begun(self, *arguments)
        anywhere.compact()

    monkeypatch.setattr(HeldMasks, "__init__", then_compact)
    assert read(anywhere.output, tmp_path / "dest") == EVERY
    assert len(store.mask_files(anywhere.output)) == 1


@OF_ALL
def test_readers_at_work_while_files_are_merged(
    read: Callable[[str, Path], Counter[Key]], made: LedgerOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merges of two files each, round by round, with a pause between removing the old and placing the new."""
    work = threading.Thread(target=_merge_slowly, args=(made, monkeypatch))
    monkeypatch.setattr(storage, "copy", _late(storage.copy))
    work.start()
    rounds = 0
    while work.is_alive() or not rounds:
        assert read(made.output, tmp_path / f"dest{rounds}") == EVERY
        rounds += 1
    work.join()
    assert len(store.mask_files(made.output)) <= 3
    assert verify(made.output).problems == []


def _late(copy: Callable[[str, str], None]) -> Callable[[str, str], None]:
    def late(source: str, target: str) -> None:
        time.sleep(0.1)  # a pause in which the old files are gone and the merged one is not there
        copy(source, target)

    return late


def _merge_slowly(made: LedgerOutput, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        largest = max(file.num_bytes for file in store.mask_files(made.output))
        monkeypatch.setattr(merge_plan, "SMALLEST", largest + 1)
        monkeypatch.setattr(merge_plan, "TARGET", largest + 1)
        made.compact()


def test_plain_reader_sees_no_mask_twice_and_whole_files(made: LedgerOutput, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Counter[Key]] = []
    for name in ("copy", "remove_files"):
        monkeypatch.setattr(storage, name, _watched(getattr(storage, name), made.output, seen))
    made.compact()
    assert len(seen) >= 4
    assert all(not counts - EVERY for counts in seen)
    assert seen[0] == seen[-1] == EVERY


def _watched(operation: Callable[..., None], output: str, seen: list[Counter[Key]]) -> Callable[..., None]:
    """Notes what a reader of Parquet sees before and after an operation."""

    def look() -> None:
        seen.append(Counter(key for table in store.read_masks(output) for key in keys(table.to_pylist())))

    def watched(*arguments: Any) -> None:
        look()
        operation(*arguments)
        look()

    return watched


def test_index_follows_its_videos_through_several_moves(made: LedgerOutput) -> None:
    index = read_index(made.output, set(VIDEOS))
    rows = MaskRows(index)
    expected = [rows.masks(frame).rows for frame in range(len(index))]
    made.compact()
    assert [rows.masks(frame).rows for frame in range(len(index))] == expected
    made.commit("c", version=1)  # the others move on to a third file
    others = [frame for frame in range(len(index)) if index.video_ids[index.video_of(frame)] != "c"]
    for reader in (rows, MaskRows(index)):
        assert [reader.masks(frame).rows for frame in others] == [expected[frame] for frame in others]
    with pytest.raises(UserError, match="the masks of video 'c' were made anew since .* was opened; open it again"):
        MaskRows(index).masks(index.frames_of(index.video_ids.index("c")).start)
    made.ledger.forget([made.ledger.videos["a"]])
    with pytest.raises(UserError, match="is gone: a run may have replaced it; open .* again"):
        MaskRows(index).masks(index.frames_of(index.video_ids.index("a")).start)


def test_selection_of_masks_that_were_made_anew_while_it_was_chosen_is_refused(
    made: LedgerOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between judging and writing: another mask may stand where a chosen one stood."""
    from jobs.outputs.selection_folder import Selection

    begin = Selection.begin

    def then_replace(self: Selection, about: dict[str, Any]) -> None:
        begin(self, about)
        made.commit("b", version=1)

    monkeypatch.setattr(Selection, "begin", then_replace)
    with pytest.raises(UserError, match="is gone: a run is writing to .*; select again when the run is done"):
        select_output(made.output, str(tmp_path / "dest"), Criteria())


def test_verify_finds_nothing_wrong_with_files_that_are_merged_while_it_reads(
    made: LedgerOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are merged once, when it has read the first one; each mask is counted once."""
    read, first = storage.read, threading.Lock()  # which stays locked: several threads read

    def then_compact(location: str) -> bytes:
        content = read(location)
        if "/masks/" in location and first.acquire(blocking=False):
            made.compact()
        return content

    monkeypatch.setattr(storage, "read", then_compact)
    found = verify(made.output)
    assert found.problems == []
    assert (found.files, found.masks) == (1, EVERY.total())
