"""`--frames` writes the frames with masks, from videos that the run was allowed to open."""

import io
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from jobs.commands.export import export_output
from jobs.exports.formats import FORMATS
from jobs.inputs.video import Video
from jobs.outputs.video_writer import VideoWriter
from jobs.records import VideoRow
from tests.jobs.exports.outputs import HEIGHT, WIDTH, blobs, rows, tree, write
from tests.parts import stcn

FOLDERS = {format.name: format.frames_folder for format in FORMATS.values() if format.frames_folder}
PLACES = {
    "coco": {"annotations.json"}, "ytvis": {"instances.json"},
    "davis": {f"Annotations/clip/{t:05d}.png" for t in (3, 4, 7)},
    "sav": {"clip_manual.json"}, "yolo": {"data.yaml", *(f"labels/clip/{t:05d}.txt" for t in (3, 4, 7))},
}  # fmt: skip


def output_with_videos(tmp_path: Path, **options: Any) -> tuple[str, Path]:
    """An output and its video of 12 frames, with masks on 3, 4 and 7. The output also has masks of a missing video."""
    video = tmp_path / "clip.mp4"
    with VideoWriter(video, Fraction(25)) as writer:
        for t in range(12):
            writer.write(np.full((HEIGHT, WIDTH, 3), 20 * t, np.uint8))
    clip = [row for row in rows("clip", [blobs(t) for t in range(5)], start=3) if row["frame_index"] not in (5, 6)]
    videos = [
        VideoRow(video_id="clip", work_id="w", status="done", video=str(video), prompts="p"),
        VideoRow(video_id="gone\x1b", work_id="w", status="done", video="/no/such.mp4", prompts="p"),
    ]
    return write(tmp_path / "out", clip, rows("gone\x1b", [blobs(1)]), videos=videos, **options), video


@pytest.mark.parametrize("format", FOLDERS)
def test_frames_equal_the_video_and_lie_in_the_formats_folder(format: str, tmp_path: Path) -> None:
    output, video = output_with_videos(tmp_path)
    exported = export_output(output, tmp_path / "dest", format, frames=True)
    assert exported.frames == 3
    assert list(exported.failures) == ["gone\x1b"]
    images = {f"{FOLDERS[format]}/clip/{t:05d}.jpg" for t in (3, 4, 7)}
    written = tree(tmp_path / "dest")
    assert {name for name in written if "gone" not in name} == PLACES[format] | images
    with Video(video) as source:
        for frame in source:
            if content := written.get(f"{FOLDERS[format]}/clip/{frame.index:05d}.jpg"):
                with Image.open(io.BytesIO(content)) as image:
                    assert np.abs(np.asarray(image, int) - frame.image).max() <= 3


def test_hf_stores_frames_in_the_rows(tmp_path: Path) -> None:
    exported = export_output(output_with_videos(tmp_path)[0], tmp_path / "dest", "hf", frames=True)
    assert exported.frames == 3
    assert list(exported.failures) == ["gone\x1b"]
    first, second = sorted((tmp_path / "dest/data").iterdir())
    for row, t in zip(pq.read_table(first).to_pylist(), (3, 4, 7), strict=True):
        with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
            assert np.abs(np.asarray(image, int) - 20 * t).max() <= 3
    assert pq.read_table(second)["image"].to_pylist() == [None]


@pytest.mark.parametrize("format", FORMATS)
def test_only_videos_without_frames_are_tried_again(format: str, tmp_path: Path) -> None:
    output, video = output_with_videos(tmp_path)
    export_output(output, tmp_path / "dest", format, frames=True)
    video.unlink()
    exported = export_output(output, tmp_path / "dest", format, frames=True)
    assert (exported.frames, list(exported.failures)) == (3, ["gone\x1b"])
    export_output(output, tmp_path / "dest", format)
    assert not [name for name in tree(tmp_path / "dest") if name.endswith(".jpg")]  # this export is without --frames


@pytest.mark.parametrize("format", ["coco", "hf"])
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"max_pixels": HEIGHT * WIDTH - 1}, "legal: up to 1,999"),
        ({"allow": ["/elsewhere"]}, "is not allowed; legal: under /elsewhere"),
    ],
)
def test_limits_of_the_run_apply_to_frames(options: dict[str, Any], reason: str, format: str, tmp_path: Path) -> None:
    exported = export_output(output_with_videos(tmp_path, **options)[0], tmp_path / "dest", format, frames=True)
    assert reason in exported.failures["clip"]
    assert exported.frames == 0


@pytest.mark.parametrize(
    ("start", "size", "reason"), [(11, 40, "no frame 12 any more"), (0, 41, "no longer have the size")]
)
def test_frames_of_a_changed_video_fail(start: int, size: int, reason: str, tmp_path: Path) -> None:
    _, video = output_with_videos(tmp_path)
    other = rows("clip", [blobs(1, height=size), blobs(2, height=size)], start=start)
    output = write(
        tmp_path / "other",
        other,
        videos=[VideoRow(video_id="clip", work_id="w", status="done", video=str(video), prompts="p")],
    )
    exported = export_output(output, tmp_path / "dest", "coco", frames=True)
    assert reason in exported.failures["clip"]
    assert list(tree(tmp_path / "dest")) == ["annotations.json"]


def test_cli_reports_failed_videos_with_exit_code_3(tmp_path: Path) -> None:
    command = stcn("export", output_with_videos(tmp_path)[0], tmp_path / "dest", "--format", "coco", "--frames")
    assert command.returncode == 3
    assert command.stdout == f"8 masks and 3 frames in {tmp_path}/dest\n"
    assert "gone\\x1b: " in command.stderr
    assert "no/such.mp4" in command.stderr


def test_ids_over_255_warn(tmp_path: Path) -> None:
    output = write(
        tmp_path / "out", rows("clip", [np.where(blobs(1) == 2, 300, blobs(1))], [1, 300]), rows("b", [blobs(1)])
    )
    for _ in range(2):  # also when all files are complete
        command = stcn("export", output, tmp_path / "dest", "--format", "davis")
        assert command.returncode == 0
        assert command.stderr.startswith("clip: ids up to 300: ")
        assert len(command.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "voc"], "--format voc is not known; legal: coco, ytvis, davis, sav, yolo, hf"),
        (["--format", "sav", "--polygons"], "--polygons is not usable with --format sav; legal: with coco"),
    ],
)
def test_unknown_format_and_option_are_reported(arguments: list[str], message: str, tmp_path: Path) -> None:
    command = stcn("export", output_with_videos(tmp_path)[0], tmp_path / "dest", *arguments)
    assert (command.returncode, message in command.stderr) == (2, True)
    assert not (tmp_path / "dest").exists()


def test_url_as_destination_is_refused(tmp_path: Path) -> None:
    command = stcn(
        "export", output_with_videos(tmp_path)[0], "s3://bucket/dest", cwd=tmp_path, env={"PYTHONPATH": _path()}
    )
    assert (command.returncode, "is no local folder" in command.stderr) == (2, True)
    assert not (tmp_path / "s3:").exists()


def _path() -> str:
    return ":".join([str(Path(__file__).parents[3]), *sys.path])
