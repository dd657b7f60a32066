"""Exports and overlays hold exactly the masks of the output."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jobs.commands.export import export_output
from jobs.commands.overlay import overlay_output
from jobs.errors import UserError
from jobs.inputs.videos.video import Video
from jobs.io import storage
from jobs.outputs import rle, store
from jobs.outputs.file_names import file_name
from jobs.outputs.label_maps import to_image
from jobs.outputs.palette import blend, voc_palette
from jobs.planning.config import SegmentConfig
from jobs.records import VideoRow
from tests.jobs.commands.test_evaluate import FOUND, rows
from tests.parts import stcn


def write(output: Path, masks: list[store.MaskRow]) -> None:
    with store.MaskWriter(output.parent / "m.parquet") as writer:
        writer.add(store.masks_table(masks))
    storage.write(f"{output}/masks/m.parquet", (output.parent / "m.parquet").read_bytes())


def write_run(output: Path, rows: list[VideoRow], **options: Any) -> None:
    """The table of videos, and the record of a run with these options."""
    store.write_videos(f"{output}/{store.VIDEOS_FILE}", rows)
    config = SegmentConfig(**{"manifest": "m.csv", "output": str(output), **options}).as_dict()
    storage.write(f"{output}/{store.RUN_FILE}", json.dumps({"config": config}).encode())


def test_davis_pngs_equal_the_masks_in_davis_colours(tmp_path: Path) -> None:
    write(tmp_path / "out", rows("clip", FOUND, [1, 2]))
    assert export_output(str(tmp_path / "out"), tmp_path / "png", "davis").masks == 12
    paths = sorted((tmp_path / "png/clip").iterdir())
    assert [path.name for path in paths] == [f"{t:05d}.png" for t in range(6)]
    for path, labels in zip(paths, FOUND, strict=True):
        with Image.open(path) as image:
            assert image.mode == "P"
            assert np.array_equal(np.asarray(image), labels)
            assert (image.getpalette() or [])[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]


def test_frame_names_and_ids_over_255_are_kept(tmp_path: Path) -> None:
    labels = [np.where(frame == 2, 300, frame) for frame in FOUND]
    write(tmp_path / "out", rows("clip", labels, [1, 300], names=list("abcdef")))
    export_output(str(tmp_path / "out"), tmp_path / "png", "davis")
    with Image.open(tmp_path / "png/clip/c.png") as image:
        assert np.array_equal(np.asarray(image), labels[2])


@pytest.mark.parametrize("name", ["street", "bmx-trees", "0a1b2c", "cam 2.left_01"])
def test_ordinary_id_is_its_own_file_name(name: str) -> None:
    assert file_name(name) == name


def test_id_with_capitals_keeps_them_in_the_file_name() -> None:
    assert re.fullmatch("Street-01~[0-9a-f]{20}", file_name("Street-01"))


NASTY = (
    "", ".", "..", "...", " ", "/", "/abs", "../../etc/passwd", "a/b", "a\\b", "x\0y", "a\nb", ".hidden", "a.", "a ",
    "a~b", "con", "CON", "Con.txt", "com1", "nul.tar.gz", "%2E", "%2e", ".a", "%2Ea", "a%2Fb", "C:x", "a:b",
    "x" * 1_024, "x" * 1_023 + "y", "\u00e4" * 500, "\u00e4", "a\u0308", "\u212b", "\u00c5", "\U0001f3a5",
    "street", "Street", "STREET",
)  # fmt: skip
IDS = st.one_of(st.sampled_from(NASTY), st.text(max_size=300), st.text("aAbB./~% \u00e4\u0308", max_size=6))


@pytest.mark.heavy
@given(IDS)
@settings(max_examples=500, deadline=None)
def test_file_names_stay_in_their_folder(video_id: str) -> None:
    """They are legal everywhere: Windows drops dots and spaces at the end, and reserves some names."""
    name = file_name(video_id)
    assert re.fullmatch(r"[A-Za-z0-9 ._~%-]{1,200}", name)
    assert not name.startswith(".")
    assert not name.endswith((".", " "))
    assert not re.match(r" *(con|prn|aux|nul|com\d|lpt\d) *(\.|$)", name, re.IGNORECASE)


@given(IDS, IDS)
@settings(max_examples=500, deadline=None)
def test_different_ids_get_different_file_names(one: str, other: str) -> None:
    """Also on a file system that ignores case and Unicode normalization."""
    twins = {one, other, one.upper(), one.lower(), *(unicodedata.normalize(form, one) for form in ("NFC", "NFD"))}
    assert len({_normalized(file_name(name)) for name in twins}) == len(twins)


def _normalized(name: str) -> str:
    return unicodedata.normalize("NFD", name).casefold().rstrip(". ")


def test_nasty_ids_get_different_file_names() -> None:
    """Also ids that equal the file name of another id."""
    ids = {*NASTY, *(file_name(name) for name in NASTY), *(file_name(name).lower() for name in NASTY)}
    assert len({_normalized(file_name(name)) for name in ids}) == len(ids)


def test_frame_names_stay_in_their_folder(tmp_path: Path) -> None:
    """The output may come from somebody else."""
    write(tmp_path / "out", rows("clip", FOUND[:3], [1, 2], names=["../../up", "/abs", "IMG_01"]))
    export_output(str(tmp_path / "out"), tmp_path / "png", "davis")
    written = sorted(str(path.relative_to(tmp_path / "png")) for path in tmp_path.rglob("*.png"))
    assert written == ["clip/%2E.%2F..%2Fup.png", "clip/%2Fabs.png", "clip/IMG_01.png"]


def test_missing_output_and_huge_ids_raise(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        export_output(str(tmp_path / "none"), tmp_path / "png", "davis")
    with pytest.raises(UserError, match="object id 70000 does not fit"):
        to_image(np.full((2, 2), 70_000))


def test_palette_equals_voc() -> None:
    palette = voc_palette()
    assert palette[[0, 1, 2, 3, 8, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [64, 0, 0], [224, 224, 192],
    ]  # fmt: skip
    assert len(np.unique(palette, axis=0)) == 256


def test_blend_tints_objects_alone() -> None:
    image = np.full((40, 50, 3), 100, np.uint8)
    out = blend(image, FOUND[0])
    touched = np.any([np.roll(FOUND[0] > 0, (y - 2, x - 2), (0, 1)) for y, x in np.ndindex(5, 5)], axis=0)
    assert (out[~touched] == 100).all()
    assert out[10, 10].tolist() == [114, 50, 50]  # half of the palette's (128, 0, 0)
    assert out[16, 16].tolist() == [255, 255, 255]  # the outline


def test_overlay_has_frames_and_rate_of_the_video(archive: Path, tmp_path: Path) -> None:
    video = archive / "videos/b.mp4"
    masks = rows("b", FOUND, [1, 2])
    write(tmp_path / "out", [{**row, "height": 50, "width": 70, "counts": _counts(row)} for row in masks])
    write_run(
        tmp_path / "out",
        [VideoRow(video_id="b", work_id="w", status="done", video=str(video), prompts="p", masks_file="m.parquet")],
    )
    ((video_id, path),) = overlay_output(str(tmp_path / "out"), tmp_path / "overlays")
    assert video_id == "b"
    assert isinstance(path, Path)
    with Video(path) as overlay, Video(video) as source:
        drawn, frames = list(overlay), list(source)
    assert len(drawn) == 6  # the frames up to the last with a mask
    assert overlay.frames_per_second == source.frames_per_second
    assert drawn[0].image.shape == frames[0].image.shape


def test_missing_video_fails_its_own_overlay_only(archive: Path, tmp_path: Path) -> None:
    output = str(tmp_path / "out")
    write(tmp_path / "out", rows("gone\x1b[2J", FOUND, [1, 2]) + rows("other-size", FOUND, [1, 2]))
    paths = {"gone\x1b[2J": tmp_path / "gone.mp4", "other-size": archive / "videos/b.mp4"}
    done = [
        VideoRow(video_id=name, work_id="w", status="done", video=str(path), prompts="p", masks_file="m.parquet")
        for name, path in paths.items()
    ]
    write_run(tmp_path / "out", done)
    results = dict(overlay_output(output, tmp_path / "overlays"))
    assert "gone.mp4" in str(results["gone\x1b[2J"])
    assert "no longer have the size" in str(results["other-size"])
    assert not list((tmp_path / "overlays").glob("*"))
    command = stcn("overlay", output, tmp_path / "overlays")
    assert command.returncode == 3
    assert "Traceback" not in command.stderr
    assert "\x1b" not in command.stdout  # a code that would clear the terminal


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_pixels": 50 * 70 - 1}, "its frames are 70x50, 3,500 pixels; legal: up to 3,499"),
        ({"max_frames": 5}, "has 12 frames; legal: up to 5"),
        ({"allow": ["/elsewhere"]}, "videos/b.mp4' is not allowed; legal: under /elsewhere"),
        ({"manifest": "s3://bucket/m.csv"}, "videos/b.mp4' is not allowed; legal: s3://"),
    ],
)
def test_limits_of_the_run_apply_to_overlays(
    options: dict[str, object], reason: str, archive: Path, tmp_path: Path
) -> None:
    write(tmp_path / "out", rows("b", FOUND, [1, 2]))
    write_run(
        tmp_path / "out",
        [VideoRow(video_id="b", work_id="w", status="done", video=f"{archive}/videos/b.mp4", prompts="p")],
        **options,
    )
    ((_, error),) = overlay_output(str(tmp_path / "out"), tmp_path / "overlays")
    assert reason in str(error)
    assert not list(tmp_path.rglob("*.mp4"))


def _counts(row: store.MaskRow) -> str:
    """The mask of a row at the video's size."""
    mask = rle.decode(row["counts"], 40, 50)
    return rle.encode(np.pad(mask, ((0, 10), (0, 20))).astype(np.int32), [1])[0].counts


@pytest.mark.parametrize("folder", ["", "masks", "videos", "runs", "_ledger", "../out/masks/", "link"])
def test_nothing_is_written_into_the_output_itself(folder: str, tmp_path: Path) -> None:
    write(tmp_path / "out", rows("clip", FOUND, [1, 2]))
    (tmp_path / "out/link").symlink_to(tmp_path / "out/masks")
    for command in (["export", "--format", "hf"], ["overlay"]):
        found = stcn(command[0], tmp_path / "out", tmp_path / "out" / folder, *command[1:])
        assert (found.returncode, "is OUTPUT, or a folder of its own; legal: another" in found.stderr) == (2, True)
    assert [path.name for path in (tmp_path / "out/masks").iterdir()] == ["m.parquet"]


def test_destination_that_is_a_file_or_a_url_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "out", rows("clip", FOUND, [1, 2]))
    (tmp_path / "file").write_text("mine")
    for command in (["export", "--format", "coco"], ["overlay"]):
        found = stcn(command[0], tmp_path / "out", tmp_path / "file", *command[1:])
        assert (found.returncode, "is a file; legal: a folder" in found.stderr) == (2, True)
        found = stcn(command[0], tmp_path / "out", "s3://bucket/export", *command[1:])
        assert (found.returncode, "is no local folder; write to one" in found.stderr) == (2, True)
    assert (tmp_path / "file").read_text() == "mine"
    assert not Path("s3:").exists()
