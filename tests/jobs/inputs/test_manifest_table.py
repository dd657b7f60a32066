"""Files that are no table of a manifest are named, and folders of Parquet are one."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.errors import ManifestError
from jobs.inputs.manifest import read_manifest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "video_id,video,prompts\na,b,c\n".encode("utf-16"),
            "m.csv is text in UTF-16; legal: UTF-8, which Excel",
        ),
        ("video_id,video,prompts\na,b,c\n".encode("utf-16-be"), "m.csv is text in UTF-16"),
        (b"\xfe\xff" + "video_id,video,prompts\n".encode("utf-16-be"), "m.csv is text in UTF-16"),
        (b"PK\x03\x04\x14\0", "m.csv is a workbook of Excel, or a ZIP; legal: the sheet saved as"),
        (b"\xd0\xcf\x11\xe0\xa1", "m.csv is a workbook of Excel; legal"),
        (b"\x1f\x8b\x08\0", "m.csv is compressed by gzip; legal: the table itself"),
        (
            "video_id,video,prompts,dur\u00e9e\na,b,c,3\n".encode("latin-1"),
            "m.csv is not UTF-8 .*; legal: UTF-8, Excel's",
        ),
        ("video_id,video,prompts\n\u00e9,b,c\n".encode("latin-1"), "m.csv (is not UTF-8|cannot be read)"),
    ],
    ids=["UTF-16 LE", "UTF-16 BE without mark", "UTF-16 BE", "xlsx", "xls", "gzip", "Latin-1 header", "Latin-1 id"],
)
def test_tables_of_spreadsheet_programs_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        read_manifest(f"{tmp_path}/m.csv")


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl", "m.parquet"])
def test_folder_called_like_a_table_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ManifestError, match="is a folder; legal: a file, or a folder of Parquet files called so"):
        read_manifest(f"{tmp_path}/{name}")


def test_folder_of_parquet_is_one_table(tmp_path: Path) -> None:
    """As Spark and Ray write one."""
    (tmp_path / "m.parquet").mkdir()
    for part, ids in enumerate((["a", "b"], ["c"])):
        rows = [{"video_id": name, "video": "v.mp4", "prompts": "p.png"} for name in ids]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"m.parquet/part-{part}.snappy.parquet")
    (tmp_path / "m.parquet/_SUCCESS").touch()
    assert [entry.video_id for entry in read_manifest(f"{tmp_path}/m.parquet").entries] == ["a", "b", "c"]


def test_value_of_another_type_says_what_is_legal(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"video_id": 5, "video": "a", "prompts": "b"}\n')
    with pytest.raises(ManifestError, match="video_id, video, prompts as strings, and values of one type in a column"):
        read_manifest(f"{tmp_path}/m.jsonl")


def test_blank_numbers_are_none_beside_a_number_that_is_not_legal(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text('video_id,video,prompts,start\na,v,p,\nb,v,p,"3,0"\n')
    with pytest.raises(ManifestError, match=r"1 problems\n  row 2: start is '3,0'; legal: a frame number"):
        read_manifest(f"{tmp_path}/m.csv")
