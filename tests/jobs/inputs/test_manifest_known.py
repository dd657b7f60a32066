"""What a manifest knows of its videos: sizes and ETags, which storage is then not asked for, and lengths."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.errors import ManifestError
from jobs.inputs.manifest import read_manifest

ETAG = "9bb58f26192e4ba00f01e2e7b136bbd8"


def test_sizes_etags_and_lengths_are_read_alike_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(
        "video_id,video,prompts,video_bytes,video_etag,frames\n"
        f'a,s3://b/a.mp4,a.png,5000000000,"""{ETAG}-12""",300\n'
        "b,s3://b/b.mp4,b.png,,,\n"
        "c,s3://b/c.mp4,c.png,0,0123456789,\n"
    )
    (tmp_path / "m.jsonl").write_text(
        '{"video_id": "a", "video": "s3://b/a.mp4", "prompts": "a.png", "video_bytes": 5000000000, '
        f'"video_etag": "{ETAG}-12", "frames": 300}}\n'
        '{"video_id": "b", "video": "s3://b/b.mp4", "prompts": "b.png"}\n'
    )
    row = {"video": "s3://b/x.mp4", "prompts": "x.png", "video_bytes": 5e9, "video_etag": f"{ETAG}-12", "frames": 300}
    blank = row | {"video_bytes": None, "video_etag": "", "frames": None}
    table = pa.Table.from_pylist([row | {"video_id": "a"}, blank | {"video_id": "b"}])
    pq.write_table(table, tmp_path / "m.parquet")
    expected = [(5_000_000_000, f"{ETAG}-12", 300), (None, None, None), (0, "0123456789", None)]
    for name, count in (("m.csv", 3), ("m.jsonl", 2), ("m.parquet", 2)):
        entries = read_manifest(f"{tmp_path}/{name}").entries
        assert [(e.video_bytes, e.video_etag, e.frames) for e in entries] == expected[:count], name


def test_etag_of_digits_keeps_its_zeros(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("video_id,video,prompts,video_bytes,video_etag\na,s3://b/a.mp4,a.png,5,0123\n")
    assert read_manifest(f"{tmp_path}/m.csv").entries[0].video_etag == "0123"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("-1,abc,", "row 1: video_bytes is -1; legal: the size of the video's file in bytes, 0 or more"),
        ("1.5,abc,", "row 1: video_bytes is 1.5; legal: the size"),
        ("much,abc,", "row 1: video_bytes is 'much'; legal: the size"),
        ("5,,", "row 1: video_bytes is given alone; legal: video_bytes and video_etag, or neither"),
        (",abc,", "row 1: video_etag is given alone; legal: video_bytes and video_etag, or neither"),
        ("5,a b,", "row 1: video_etag is 'a b'; legal: the file's ETag as S3 tells it, such as 9bb58f26"),
        (f"5,{'a' * 201},", "row 1: video_etag is 'aaa.*; legal: the file's ETag"),
        (f",,{2**53 + 1}", "legal: the number of frames of the video, up to 9,007,199,254,740,992"),
        (",,0", "row 1: frames is 0; legal: the number of frames of the video, 1 or more"),
        (",,-3", "row 1: frames is -3; legal: the number of frames"),
        (",,many", "row 1: frames is 'many'; legal: the number of frames"),
    ],
)
def test_illegal_sizes_etags_and_lengths_raise(cells: str, message: str, tmp_path: Path) -> None:
    header = "video_id,video,prompts,video_bytes,video_etag,frames"
    (tmp_path / "m.csv").write_text(f"{header}\na,s3://b/a.mp4,s3://b/a.png,{cells}\n")
    with pytest.raises(ManifestError, match=message) as error:
        read_manifest(f"{tmp_path}/m.csv")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(("video", "is_legal"), [("s3://b/a.mp4", True), ("S3A://b/a.mp4?versionId=1", True),
                                                 ("a.mp4", False), ("gs://b/a.mp4", False)])  # fmt: skip
def test_etag_of_a_video_that_is_not_in_s3_raises(video: str, is_legal: bool, tmp_path: Path) -> None:
    """Elsewhere a version is a time, and nothing could be compared with the ETag."""
    (tmp_path / "m.csv").write_text(f"video_id,video,prompts,video_bytes,video_etag\nx,{video},x.png,5,{ETAG}\n")
    if is_legal:
        assert read_manifest(f"{tmp_path}/m.csv").entries[0].video_etag == ETAG
    else:
        with pytest.raises(ManifestError, match=r"row 1: video_etag is given, and video is '.*'; legal: an ETag of a"):
            read_manifest(f"{tmp_path}/m.csv")


@pytest.mark.parametrize("column", ["n_frames", "num_frames", "video_type", "video_byte"])
def test_columns_like_those_that_change_no_mask_belong_to_the_user(column: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"video_id,video,prompts,{column}\na,a.mp4,a.png,7\n")
    assert read_manifest(f"{tmp_path}/m.csv").unused_columns == [column]
