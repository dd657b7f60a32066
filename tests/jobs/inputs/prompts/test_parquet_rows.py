"""Rows in Parquet are read from any writer, and invalid rows raise with the reason."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.errors import PromptError
from jobs.inputs.prompts import prompt_builder
from tests.jobs.inputs.hostile import prompt_row
from tests.jobs.inputs.prompts.kinds import labels_of, prompts_of, rows


@pytest.mark.parametrize("text", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("number", [pa.int8(), pa.uint16(), pa.int64(), pa.uint64()])
def test_columns_may_have_other_integer_and_text_types(text: pa.DataType, number: pa.DataType, tmp_path: Path) -> None:
    """As pandas and other writers choose them."""
    table = pa.Table.from_pylist([prompt_row(object_id=3), prompt_row(object_id=4, frame_index=7)])
    fields = [(name, text if name in ("video_id", "counts") else number) for name in table.column_names]
    pq.write_table(table.cast(pa.schema(fields)), tmp_path / "p.parquet")
    prompts = labels_of(tmp_path / "p.parquet")
    assert {frame: np.unique(labels).tolist() for frame, labels in prompts.items()} == {0: [0, 3], 7: [0, 4]}
    assert (prompts[0] == 3).sum() == 64


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([prompt_row(), prompt_row()], "object 1 has two masks on frame 0; legal: one"),
        ([prompt_row(), prompt_row(object_id=2, height=64, width=48)], "masks of frame 0 are of different sizes"),
        ([prompt_row(object_id=0)], "column object_id holds 0; legal: 1 to 2147483647"),
        ([prompt_row(), prompt_row(object_id=2**31)], "column object_id holds 2147483648; legal: 1 to 2147483647"),
        ([prompt_row(frame_index=-1)], "column frame_index holds -1; legal: 0 to 2147483647"),
        ([prompt_row(), prompt_row(object_id=None)], "column object_id has nulls"),
        ([prompt_row(), prompt_row(counts=None, object_id=2)], "column counts has nulls"),
        ([prompt_row(object_id="1")], "column object_id holds string; legal: integers"),
        ([prompt_row(is_prompt=1)], "column is_prompt holds int64; legal: booleans"),
        ([{"video_id": "v", "counts": "0"}], "lack the columns .'frame_index', 'object_id', 'height', 'width'."),
        ([prompt_row(counts="0")], "the mask of object 1 on frame 0 cannot be decoded: its runs are 0 pixels"),
    ],
)
def test_invalid_rows_raise_with_the_reason(rows: list[dict[str, object]], message: str, tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    with pytest.raises(PromptError, match=message):
        labels_of(tmp_path / "p.parquet")


def test_too_many_masks_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a few kilobytes can hold a billion rows."""
    monkeypatch.setattr(prompt_builder, "MAX_MASKS", 20)
    for count in (20, 21):
        table = pa.Table.from_pylist([prompt_row(frame_index=frame) for frame in range(count)])
        pq.write_table(table, tmp_path / f"{count}.parquet")
    assert len(labels_of(tmp_path / "20.parquet")) == 20
    with pytest.raises(PromptError, match="there are more than 20 masks; legal: up to that many for a video"):
        labels_of(tmp_path / "21.parquet")


def test_damaged_parquet_raises_prompt_error_alone(tmp_path: Path) -> None:
    """A file with a flipped byte is either refused or read."""
    pq.write_table(pa.Table.from_pylist([prompt_row(object_id=i) for i in range(1, 30)]), tmp_path / "p.parquet")
    whole = (tmp_path / "p.parquet").read_bytes()
    refused = 0
    for position in range(0, len(whole), 7):
        (tmp_path / "p.parquet").write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            labels_of(tmp_path / "p.parquet")
        except PromptError:
            refused += 1
    assert refused > 50


def test_hidden_files_of_mac_and_spark_are_ignored(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([prompt_row()]), tmp_path / "p.parquet")
    for name in ("._p.parquet", "_temporary.parquet", "_SUCCESS"):
        (tmp_path / name).write_bytes(b"no Parquet")
    assert list(labels_of(tmp_path)) == [0]


@pytest.mark.parametrize("type_", [pa.null(), pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_object_name_column_is_optional(type_: pa.DataType, tmp_path: Path) -> None:
    name = None if type_ == pa.null() else "dog"
    table = pa.Table.from_pylist([prompt_row(frame_index=frame) for frame in (0, 5)])
    names = pa.array([name, None], type_ if name is None else pa.string()).cast(type_)
    table = table.append_column("object_name", names)
    pq.write_table(table, tmp_path / "p.parquet")
    assert prompts_of(tmp_path / "p.parquet").names == ({1: "dog"} if name else {})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("dog", "cat"), "object 1 is called both 'dog' and 'cat'; legal: one name an object"),
        (("a\0b", None), r"object 1 is called 'a\\x00b'; legal: 1 to 200 characters"),
        ((5, 6), "column object_name holds int64; legal: text"),
    ],
)
def test_invalid_object_names_raise(names: tuple[object, ...], message: str, tmp_path: Path) -> None:
    rows = [prompt_row(frame_index=frame, object_name=name) for frame, name in enumerate(names)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    with pytest.raises(PromptError, match=message):
        prompts_of(tmp_path / "p.parquet")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"area": 500}, "has 64 pixels, and its area is 500"),
        ({"frame_name": "00007"}, "a row is of frame 1, '00005' in the folder, and its frame_name is '00007'"),
    ],
)
def test_what_an_output_says_twice_is_compared(values: dict[str, object], message: str, tmp_path: Path) -> None:
    mask = np.zeros((24, 32), np.int32)
    mask[4:12, 4:12] = 1
    sound = rows({1: mask})[0] | {"area": 64, "frame_name": "00005"}
    pq.write_table(pa.Table.from_pylist([sound]), tmp_path / "m.parquet")
    assert list(labels_of(tmp_path / "m.parquet", ["00000", "00005"])) == [1]
    pq.write_table(pa.Table.from_pylist([sound | values]), tmp_path / "m.parquet")
    with pytest.raises(PromptError, match=message):
        labels_of(tmp_path / "m.parquet", ["00000", "00005"])
