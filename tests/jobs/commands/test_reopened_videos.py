"""Overlays, exports and data sets open what the run opened, from the same frame on, and show it at its own times."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from jobs.commands.export import export_output
from jobs.commands.overlay import overlay_output
from jobs.dataset import MaskDataset
from jobs.errors import VideoError
from jobs.inputs.content_version import current_version
from jobs.inputs.videos.video import Video
from jobs.outputs import store
from jobs.records import VideoRow
from tests.jobs.exports.outputs import blobs, rows, tree, write
from tests.jobs.inputs.containers import join
from tests.jobs.inputs.videos.test_damage import encode
from tests.jobs.inputs.videos.test_reversed_video import variable_rate
from tests.jobs.inputs.videos.test_streams import LARGE, SMALL, anamorphic, streams_of, write_streams
from tests.jobs.inputs.videos.test_video import HEIGHT, WIDTH, picture, turn

VP8 = {"deadline": "realtime", "b": "800k"}


def output_of(video: Path, size: tuple[int, int], frames: range, start: int | None = None, **options: object) -> str:
    """An output with masks of one object on some frames of a video."""
    masks = rows("v", [blobs(1, 1, *size)] * len(frames), [1], start=frames.start)
    row = VideoRow(video_id="v", work_id="w", status="done", video=str(video), prompts="p", start=start)
    return write(video.parent / "out", masks, videos=[row], manifest=str(video.parent / "m.csv"), **options)


def overlay_of(output: str, dest: Path) -> Path:
    ((_, path),) = overlay_output(output, dest)
    assert isinstance(path, Path), path
    return path


def size_changing(folder: Path) -> Path:
    """Frames 0 to 7 are large, 8 to 15 small, as in a call whose line gets worse."""
    parts = [
        encode(folder / f"{number}.webm", "libvpx", VP8, 8, size) for number, size in enumerate(((96, 128), (48, 64)))
    ]
    return join(parts, folder / "v.webm")


def test_change_of_size_before_the_start_does_not_matter(tmp_path: Path) -> None:
    output = output_of(size_changing(tmp_path), (48, 64), range(8, 16), start=8)
    with Video(overlay_of(output, tmp_path / "overlays")) as video:
        assert [frame.image.shape[:2] for frame in video] == [(48, 64)] * 8
    exported = export_output(output, tmp_path / "dest", "davis", frames=True)
    assert (exported.frames, exported.failures) == (8, {})
    assert sum(name.endswith(".jpg") for name in tree(tmp_path / "dest")) == 8
    assert [sample["frame_index"] for sample in MaskDataset(output)] == list(range(8, 16))


def test_change_of_size_after_the_last_mask_does_not_matter(tmp_path: Path) -> None:
    output = output_of(size_changing(tmp_path), (96, 128), range(8), start=0)
    with Video(overlay_of(output, tmp_path / "overlays")) as video:
        assert [frame.image.shape[:2] for frame in video] == [(96, 128)] * 8


def test_output_without_starts_is_read_from_its_first_frame_on(tmp_path: Path) -> None:
    """Outputs from before rows had a start."""
    video = encode(tmp_path / "v.mp4", "libx264", {}, 12, SMALL)
    with Video(overlay_of(output_of(video, SMALL, range(4, 12)), tmp_path / "overlays")) as overlay:
        assert len(list(overlay)) == 12


def test_overlay_plays_at_the_times_of_the_video(tmp_path: Path) -> None:
    """A minute's pause stays a minute, in place of 40 frames spread evenly over it."""
    path = variable_rate(tmp_path / "v.mp4")
    overlay = overlay_of(output_of(path, (HEIGHT, WIDTH), range(40)), tmp_path / "overlays")
    with Video(path) as video, Video(overlay) as drawn:
        times = [frame.pts_seconds or 0 for frame in video]
        assert times[26] - times[25] > 60
        assert [frame.pts_seconds for frame in drawn] == pytest.approx([time - times[0] for time in times], abs=1e-4)


def test_overlay_of_a_folder_plays_24_frames_a_second(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for t in range(6):
        Image.fromarray(picture(t)).save(tmp_path / f"images/{t}.png")
    output = output_of(tmp_path / "images", (HEIGHT, WIDTH), range(6))
    with Video(overlay_of(output, tmp_path / "overlays")) as drawn:
        assert [frame.pts_seconds for frame in drawn] == pytest.approx([t / 24 for t in range(6)])


def test_overlay_keeps_the_shape_of_pixels(tmp_path: Path) -> None:
    turned = turn(anamorphic(tmp_path / "v.mp4", Fraction(64, 45)), 90)
    with av.open(str(overlay_of(output_of(turned, (64, 48), range(3)), tmp_path / "overlays"))) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(45, 64)


def test_stream_that_was_segmented_is_read_again(tmp_path: Path) -> None:
    output = output_of(write_streams(tmp_path / "v.mkv", streams_of(SMALL, LARGE)), LARGE, range(6))
    with Video(overlay_of(output, tmp_path / "overlays")) as drawn:
        assert {frame.image.shape[:2] for frame in drawn} == {LARGE}
    (image, *_) = (Image.open(path) for path in _jpegs(output, tmp_path))
    assert np.asarray(image).shape[:2] == LARGE


def _jpegs(output: str, folder: Path) -> list[Path]:
    export_output(output, folder / "dest", "davis", frames=True)
    return sorted((folder / "dest").rglob("*.jpg"))


def test_changed_size_inside_the_window_is_an_error_of_the_video(tmp_path: Path) -> None:
    output = output_of(size_changing(tmp_path), (96, 128), range(16))
    ((_, error),) = overlay_output(output, tmp_path / "overlays")
    assert isinstance(error, VideoError)
    assert "changes at frame 8" in str(error)


def changed_file(folder: Path) -> Path:
    """A video of the same length and size, written later."""
    path = size_changing(folder)
    os.utime(path, (1, 1))
    return path


def changed_folder(folder: Path) -> Path:
    """The images 0 to 8, without the one in the middle."""
    (folder / "v").mkdir()
    for number in range(9):
        Image.fromarray(picture(number, 96, 128)).save(folder / f"v/{number:05d}.png")
    return folder / "v"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_video_that_has_changed_is_refused_by_every_reader(kind: str, tmp_path: Path) -> None:
    video = changed_file(tmp_path) if kind == "file" else changed_folder(tmp_path)
    output = output_of(video, (96, 128), range(8), start=0)
    (row,) = store.read_videos(f"{output}/{store.VIDEOS_FILE}")
    store.write_videos(f"{output}/{store.VIDEOS_FILE}", [replace(row, video_version=current_version(str(video)))])
    overlay_of(output, tmp_path / "before")
    assert len(list(MaskDataset(output))) == 8
    if kind == "file":
        os.utime(video, (2, 2))
    else:
        (video / "00004.png").unlink()
    changed = f"{video} has changed since it was segmented"
    ((_, error),) = overlay_output(output, tmp_path / "after")
    assert changed in str(error)
    assert changed in export_output(output, tmp_path / "dest", "davis", frames=True).failures["v"]
    with pytest.raises(VideoError, match=changed):
        MaskDataset(output)[0]
