"""Batches hold complete frames in order; rows that no run writes are refused."""

import random
from pathlib import Path

import numpy as np
import pytest

from jobs.commands.export import export_output
from jobs.errors import UserError
from jobs.exports import mask_batches
from tests.jobs.exports.outputs import blobs, rows, write

LABELS = [blobs(seed) for seed in range(7)]


@pytest.mark.parametrize("rows_at_once", [1, 2, 3, 5, 1000])
def test_batches_never_split_a_frame_or_lose_a_row(
    rows_at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mask_batches, "ROWS", rows_at_once)
    written = [*rows("a", LABELS, start=4), *rows("b", LABELS[:1], [1]), *rows("c", LABELS[:3], [1])]
    (file,) = mask_batches.masks_files(write(tmp_path / "out", written))
    found = []
    for video_id, batches in file.videos("counts"):
        frames: list[int] = []
        for batch in batches:
            frames += batch.frames.tolist()
            found += [
                (video_id, row["frame_index"], row["object_id"], row["counts"]) for row in batch.masks.to_pylist()
            ]
            assert len(batch.masks) <= rows_at_once + 1
        assert len(frames) == len(set(frames))
    assert found == [(row["video_id"], row["frame_index"], row["object_id"], row["counts"]) for row in written]


@pytest.mark.parametrize("rows_at_once", [2, 1000])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("apart", "the rows of video 'a' lie apart"),
        ("shuffled", "not sorted by frame and object"),
        ("twice", "not sorted by frame and object"),
        ("size", "not all of one size"),
        ("box", "box has nulls, or numbers under 0"),
        ("no box", "box has nulls, or numbers under 0"),
        ("null", "counts has nulls"),
        ("frame", "frame_index holds -1"),
    ],
)
def test_rows_that_no_run_writes_raise(
    kind: str, message: str, rows_at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mask_batches, "ROWS", rows_at_once)
    written = rows("a", LABELS) + rows("b", LABELS)
    if kind == "apart":
        written += rows("a", LABELS, start=9)
    elif kind == "shuffled":
        random.Random(0).shuffle(written)
        written.sort(key=lambda row: str(row["video_id"]))
    elif kind == "twice":
        written.insert(3, written[3])
    elif kind == "size":
        written[9:10] = rows("a", [np.zeros((4, 4), np.int32)], [2], start=4)
    else:
        values = {"box": ("box", (0, 0, -1, 2)), "no box": ("box", None), "null": ("counts", None)}
        name, value = values.get(kind, ("frame_index", -1))
        written[4][name] = value
    (file,) = mask_batches.masks_files(write(tmp_path / "out", written))
    with pytest.raises(UserError, match=f"is damaged: .*{message}.*stcn verify"):
        for _, batches in file.videos("counts", "box"):
            list(batches)


def test_video_in_two_files_raises(tmp_path: Path) -> None:
    output = write(tmp_path / "out", rows("a", LABELS), rows("a", LABELS, start=9))
    with pytest.raises(UserError, match="video 'a' is in another file, too"):
        export_output(output, tmp_path / "dest", "davis")


def test_truncated_file_raises(tmp_path: Path) -> None:
    (file,) = mask_batches.masks_files(write(tmp_path / "out", rows("a", LABELS)))
    path = Path(file.info.location)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="is damaged"):
        list(file.videos())
