"""Manifests of every format are read, and all problems of a manifest are reported at once."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from jobs.errors import ManifestError
from jobs.inputs.manifest import read_manifest
from jobs.records import Entry

ROWS = [
    {"video_id": "007", "video": "videos/a.mp4", "prompts": "s3://masks/a.png", "start": None, "end": None},
    {"video_id": "b", "video": "/data/b", "prompts": "masks/b", "start": 5, "end": 9},
]


def expected(folder: Path) -> list[Entry]:
    return [
        Entry(video_id="007", video=f"{folder}/videos/a.mp4", prompts="s3://masks/a.png"),
        Entry(video_id="b", video="/data/b", prompts=f"{folder}/masks/b", start=5, end=9),
    ]


def test_parquet_is_read(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "m.parquet")
    assert read_manifest(f"{tmp_path}/m.parquet").entries == expected(tmp_path)


def test_csv_ids_that_look_like_numbers_stay_strings(tmp_path: Path) -> None:
    text = "video_id,video,prompts,start,end\n007,videos/a.mp4,s3://masks/a.png,,\nb,/data/b,masks/b,5,9\n"
    (tmp_path / "m.csv").write_text(text)
    assert read_manifest(f"{tmp_path}/m.csv").entries == expected(tmp_path)


def test_jsonl_without_optional_columns_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"video_id": "x", "video": "x.mp4", "prompts": "x.png"}\n')
    assert read_manifest(f"{tmp_path}/m.jsonl").entries == [
        Entry(video_id="x", video=f"{tmp_path}/x.mp4", prompts=f"{tmp_path}/x.png")
    ]


def test_jsonl_id_that_looks_like_a_date_stays_a_string(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"video_id": "2024-01-01", "video": "x.mp4", "prompts": "x.png"}\n')
    assert read_manifest(f"{tmp_path}/m.jsonl").entries[0].video_id == "2024-01-01"


def test_removals_and_void_are_parsed_alike_in_every_format(tmp_path: Path) -> None:
    rows = [
        "video_id,video,prompts,remove,void",
        "a,a.mp4,a.png,5@200 3@120,255",
        "b,b.mp4,b.png,,none",
        "c,c.mp4,c.png,,",
    ]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    (tmp_path / "m.jsonl").write_text(
        '{"video_id": "a", "video": "a.mp4", "prompts": "a.png", "remove": "3@120  5@200", "void": "255"}\n'
        '{"video_id": "b", "video": "b.mp4", "prompts": "b.png", "remove": "", "void": "none"}\n'
        '{"video_id": "c", "video": "c.mp4", "prompts": "c.png"}\n'
    )
    pq.write_table(
        pa.Table.from_pylist(
            [
                {"video_id": "a", "video": "a.mp4", "prompts": "a.png", "void": 255, "remove": "3@120\n5@200"},
            ]
        ),
        tmp_path / "m.parquet",
    )
    for name in ("m.csv", "m.jsonl", "m.parquet"):
        entries = read_manifest(f"{tmp_path}/{name}").entries
        expected = [(((3, 120), (5, 200)), 255), ((), 0), ((), None)]
        assert [(e.removals, e.void) for e in entries] == expected[: len(entries)]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (
            "remove",
            "3",
            "row 1: remove is '3'; '3' is not a removal; legal: object@frame, separated by spaces: 3@120 5@200",
        ),
        ("remove", "3@-1", "'3@-1' is not a removal"),
        ("remove", "3@1;4@2", "'3@1;4@2' is not a removal; .* separated by spaces"),
        ("remove", "0@5", "'0@5' is not a removal"),
        ("remove", "9999999999@5", "'9999999999@5' is not a removal"),
        ("remove", "٣@5", "is not a removal"),
        ("remove", "3@5 4@5 3@5", "3@5 is repeated; legal: once"),
        ("remove", "3@1 " * 10_001, "it has 10,001 removals; legal: up to 10,000"),
        ("void", "0", "row 1: void is '0'; legal: the mask value of void pixels, 1 to 65535, or none"),
        ("void", "65536", "void is '65536'; legal"),
        ("void", "-1", "void is '-1'; legal"),
        ("void", "no", "void is 'no'; legal"),
        ("removes", "3@1", "column 'removes' is not known; legal: remove"),
        ("Void", "255", "column 'Void' is not known; legal: void"),
    ],
)
def test_illegal_removals_and_void_raise(column: str, value: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"video_id,video,prompts,{column}\na,a.mp4,a.png,{value}\n")
    with pytest.raises(ManifestError, match=message) as error:
        read_manifest(f"{tmp_path}/m.csv")
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("column", ["video2", "avoided", "movie"])
def test_unknown_columns_are_ignored(column: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"video_id,video,prompts,{column}\na,a.mp4,a.png,x\n")
    assert read_manifest(f"{tmp_path}/m.csv").entries


def test_all_problems_are_listed_with_their_rows(tmp_path: Path) -> None:
    rows = [
        "video_id,video,prompts,start,end",
        "a,a.mp4,a.png,,",
        ",b.mp4,b.png,,",
        "c,,c.png,-1,",
        "a,d.mp4,d.png,5,5",
    ]
    (tmp_path / "m.csv").write_text("\n".join(rows))
    with pytest.raises(ManifestError) as error:
        read_manifest(f"{tmp_path}/m.csv")
    message = str(error.value)
    assert "5 problems" in message
    assert "row 2: video_id is ''" in message
    assert "row 3: video is ''" in message
    assert "row 3: start is -1; legal: a frame number" in message
    assert "row 4: end 5 is not after start 5" in message
    assert "rows [1, 4]: video_id 'a' occurs 2 times" in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", "id,video\n1,a.mp4\n", r"lacks the columns \['video_id', 'prompts'\]"),
        ("m.csv", "video_id;video;prompts\n1;a;b\n", "legal: columns separated by commas"),
        ("m.csv", "video_id, video, prompts\n1,a,b\n", "legal: names without spaces"),
        ("m.csv", "video_id,video,prompts\n", "no rows"),
        ("m.csv", "video_id,video,prompts,video\na,b,c,d\n", "legal: each column once"),
        ("m.csv", "video_id,video,prompts\na,b\0,c\n", "row 1: video is .*without NUL"),
        ("m.jsonl", '{"video_id": [1], "video": "a", "prompts": "b"}', "cannot be read.*video_id"),
        ("m.jsonl", '{"video_id": "a", "video": "a", "prompts": "b", "start": true}', "row 1: start is True"),
        (
            "m.csv",
            "video_id,video,prompts,End,note,strat,edn,id\na,a.mp4,a.png,5,x,2,7,1\n",
            r"'End'.*legal: end\n.*'edn'.*legal: end\n.*'strat'.*start$",
        ),
        ("m.jsonl", "{broken", "cannot be read"),
        ("m.parquet", "not parquet", "cannot be read"),
        ("m.txt", "a", "legal: a table"),
    ],
)
def test_malformed_manifest_raises(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ManifestError, match=message):
        read_manifest(f"{tmp_path}/{name}")


def test_missing_manifest_raises(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="does not exist"):
        read_manifest(f"{tmp_path}/none.csv")


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)


@pytest.mark.parametrize("resolution", ["", "480p/"])
def test_davis_tree_is_read_with_and_without_resolution_folder(resolution: str, tmp_path: Path) -> None:
    for sequence in ("bear", "swan"):
        image(tmp_path / f"JPEGImages/{resolution}{sequence}/00000.png")
        image(tmp_path / f"Annotations/{resolution}{sequence}/00000.png")
    assert read_manifest(str(tmp_path)).entries == [
        Entry(
            video_id=name,
            video=f"{tmp_path}/JPEGImages/{resolution}{name}",
            prompts=f"{tmp_path}/Annotations/{resolution}{name}",
            first_masks_only=True,
        )
        for name in ("bear", "swan")
    ]


def test_folder_name_that_is_not_utf_8_raises(tmp_path: Path) -> None:
    """No table can hold such an id."""
    for folder in ("JPEGImages", "Annotations"):
        Path(os.fsdecode(os.fsencode(tmp_path / folder) + b"/dog\xff")).mkdir(parents=True)
    with pytest.raises(ManifestError, match=r"folder 'dog\\udcff' has a name that is not UTF-8; rename it"):
        read_manifest(str(tmp_path))


def test_tree_of_a_single_sequence_is_read(tmp_path: Path) -> None:
    root = tmp_path / "judo"
    image(root / "JPEGImages/00000.png")
    image(root / "Annotations/00000.png")
    assert read_manifest(str(root)).entries == [
        Entry(video_id="judo", video=f"{root}/JPEGImages", prompts=f"{root}/Annotations", first_masks_only=True)
    ]


def test_whole_numbers_and_blanks_of_pandas_are_read(tmp_path: Path) -> None:
    """It writes 3.0 for 3, and NaN for nothing, in a column where one row has no value."""
    rows = [
        {"video_id": "a", "video": "a.mp4", "prompts": "a.png", "start": 3.0, "end": float("nan"), "first_frame": 1.0},
        {"video_id": "b", "video": "b.mp4", "prompts": "b.png", "start": None, "end": 9.0, "first_frame": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "m.parquet")
    (tmp_path / "m.csv").write_text(
        "video_id,video,prompts,start,end,first_frame,void\na,a.mp4,a.png,3.0,,1.0,255.0\nb,b.mp4,b.png,,9.0,,\n"
    )
    for name, void in (("m.parquet", None), ("m.csv", 255)):
        a, b = read_manifest(f"{tmp_path}/{name}").entries
        assert (a.start, a.end, a.first_frame, a.void) == (3, None, 1, void)
        assert (b.start, b.end, b.first_frame, b.void) == (0, 9, 0, None)
    (tmp_path / "m.csv").write_text("video_id,video,prompts,start\na,a.mp4,a.png,3.5\n")
    with pytest.raises(ManifestError, match=r"start is 3.5; legal: a frame number, 0 or more"):
        read_manifest(f"{tmp_path}/m.csv")


@pytest.mark.parametrize(("pattern", "is_legal"), [("*_{frame}", True), ("{frame}/{object}", True), ("*", False)])
def test_mask_names_hold_a_frame(pattern: str, is_legal: bool, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"video_id,video,prompts,mask_names\na,a.mp4,a,{pattern}\nb,b.mp4,b,\n")
    if is_legal:
        assert [entry.mask_names for entry in read_manifest(f"{tmp_path}/m.csv").entries] == [pattern, None]
    else:
        with pytest.raises(ManifestError, match=r"row 1: mask_names is '\*'; legal: a mask's path below prompts"):
            read_manifest(f"{tmp_path}/m.csv")


def test_options_are_columns_where_a_row_may_set_them(tmp_path: Path) -> None:
    options = {"short_side": True, "direction": True, "device": False}
    (tmp_path / "m.csv").write_text(
        "video_id,video,prompts,short_side,direction,camera\na,a.mp4,a.png,240,,left\nb,b.mp4,b.png,,both,right\n"
    )
    manifest = read_manifest(f"{tmp_path}/m.csv", options=options)
    assert [entry.overrides for entry in manifest.entries] == [(("short_side", 240),), (("direction", "both"),)]
    assert manifest.unused_columns == ["camera"]
    (tmp_path / "m.csv").write_text("video_id,video,prompts,device,shortside\na,a.mp4,a.png,cpu,240\n")
    with pytest.raises(ManifestError) as error:
        read_manifest(f"{tmp_path}/m.csv", options=options)
    assert "column 'shortside' is not known; legal: short_side" in str(error.value)
    assert "column 'device' is an option of the whole run; legal: --device, or another column name" in str(error.value)


def test_sa_v_tree_with_rates_in_its_folders_names_is_read(tmp_path: Path) -> None:
    """SA-V keeps frames in JPEGImages_24fps and masks, a folder for each object, in Annotations_6fps."""
    image(tmp_path / "JPEGImages_24fps/sav_000001/00000.jpg")
    image(tmp_path / "Annotations_6fps/sav_000001/000/00000.png")
    assert read_manifest(str(tmp_path)).entries == [
        Entry(
            video_id="sav_000001",
            video=f"{tmp_path}/JPEGImages_24fps/sav_000001",
            prompts=f"{tmp_path}/Annotations_6fps/sav_000001",
            first_masks_only=True,
        )
    ]


def test_plain_folder_of_a_tree_is_taken_beside_others(tmp_path: Path) -> None:
    """DAVIS 2017 has Annotations and Annotations_unsupervised."""
    for folder in ("JPEGImages", "Annotations", "Annotations_unsupervised"):
        image(tmp_path / f"{folder}/480p/bear/00000.png")
    (entry,) = read_manifest(str(tmp_path)).entries
    assert entry.prompts == f"{tmp_path}/Annotations/480p/bear"


@pytest.mark.parametrize("name", ["JPEGImages", "Annotations"])
def test_tree_with_several_folders_for_one_role_raises(name: str, tmp_path: Path) -> None:
    for folder in ("JPEGImages_24fps", "Annotations_6fps", f"{name}_1fps"):
        image(tmp_path / folder / "sav_000001/00000.png")
    with pytest.raises(ManifestError, match=f"holds '{name}_1fps', '{name}_[0-9]*fps'; legal: {name}, or one folder"):
        read_manifest(str(tmp_path))
