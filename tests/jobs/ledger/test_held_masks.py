"""Readers take files from the ledger, follow masks that move, and wait for what is committed and not there yet."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.io import storage
from jobs.ledger import held_masks
from jobs.ledger.held_masks import HeldFile, HeldMasks
from jobs.outputs import store
from tests.jobs.ledger.merged_output import LedgerOutput, labels_of, ledger_output
from tests.jobs.ledger.merges import merge_committed


@pytest.fixture
def made(tmp_path: Path) -> LedgerOutput:
    return ledger_output(tmp_path, "abcd")


def videos(masks: HeldMasks, file: HeldFile) -> Iterator[tuple[str, int]]:
    """Each video that is read for a file, with its number of rows."""
    for part, content in masks.read(file, lambda info: storage.read(info.location)):
        ids = store.parse(content)["video_id"].to_pylist()
        yield from ((video_id, ids.count(video_id)) for video_id in sorted(set(ids)) if part.has(video_id))


def all_videos(masks: HeldMasks) -> list[tuple[str, int]]:
    return sorted(found for file in masks.files for found in videos(masks, file))


EVERY = [(video_id, 6) for video_id in "abcd"]


def test_files_are_those_of_the_ledger_each_with_its_videos(made: LedgerOutput) -> None:
    storage.write(f"{made.output}/masks/99999999-0123456789abcdef.parquet", b"never committed")
    masks = HeldMasks(made.output)
    assert [sorted(file.video_ids or ()) for file in masks.files] == [["a"], ["b"], ["c"], ["d"]]
    assert [file.info.num_bytes for file in masks.files] == [
        Path(file.info.location).stat().st_size for file in masks.files
    ]
    assert all_videos(masks) == EVERY
    assert all_videos(HeldMasks(made.output, ["b", "d"])) == [("b", 6), ("d", 6)]


@pytest.mark.parametrize("merges", [["ab"], ["abcd"], ["ab", "cd", "abcd"], ["ac", "bd"]])
def test_masks_that_were_merged_meanwhile_are_read_once(merges: list[str], made: LedgerOutput) -> None:
    masks = HeldMasks(made.output)
    for video_ids in merges:
        names = {made.ledger.videos[video_id].masks_file or "" for video_id in video_ids}
        merge_committed(made.ledger, made.output, sorted(names))
    assert all_videos(masks) == EVERY
    assert all_videos(HeldMasks(made.output)) == EVERY


def test_masks_that_were_replaced_or_forgotten_meanwhile(made: LedgerOutput) -> None:
    made.compact()
    masks = HeldMasks(made.output)
    made.commit("b", version=1)
    made.ledger.forget([made.ledger.videos["d"]])
    assert all_videos(masks) == [("a", 6), ("b", 2 * len(labels_of("b", 1))), ("c", 6)]


def test_file_that_is_committed_and_comes_late_is_waited_for(made: LedgerOutput, tmp_path: Path) -> None:
    masks = HeldMasks(made.output)
    hidden = [Path(file.info.location) for file in masks.files[1:3]]
    for path in hidden:
        path.rename(tmp_path / path.name)
    timer = threading.Timer(0.5, lambda: [(tmp_path / path.name).rename(path) for path in hidden])
    timer.start()
    assert all_videos(masks) == EVERY
    timer.join()


def test_file_that_does_not_come_is_named_with_what_mends_it(
    made: LedgerOutput, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(held_masks, "PUBLISHING_SECONDS", 0.3)
    masks = HeldMasks(made.output)
    path = Path(masks.files[2].info.location)
    path.unlink()
    with pytest.raises(UserError, match=f"{path} is committed, and not there: .*`stcn compact {made.output}` or the s"):
        all_videos(masks)


def test_without_a_ledger_files_are_listed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run: there is no run.json"):
        HeldMasks(str(tmp_path))
    storage.write(f"{tmp_path}/masks/x.parquet", b"x")
    masks = HeldMasks(str(tmp_path), ["a"])
    assert masks.files == [HeldFile(store.mask_files(str(tmp_path))[0], frozenset("a"))]
    (tmp_path / "masks/x.parquet").unlink()
    with pytest.raises(UserError, match=rf"x.parquet is gone: a run may have replaced it; open {tmp_path} again"):
        list(masks.read(masks.files[0], lambda info: storage.read(info.location)))
