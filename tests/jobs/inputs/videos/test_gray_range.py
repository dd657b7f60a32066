"""16-bit grey images keep the contrast of the bits that they use, alike for all frames and readers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.reversed_video import ReversedVideo
from jobs.inputs.videos.video import Video
from tests.jobs.inputs.videos.test_video import read

SHAPE = (12, 16)


def write_values(folder: Path, *frames: tuple[int, int], ending: str = "png") -> Path:
    """Write 16-bit images, each a ramp from one value to another."""
    folder.mkdir(exist_ok=True)
    for number, (low, high) in enumerate(frames):
        ramp = np.linspace(low, high, SHAPE[0] * SHAPE[1]).round().astype(np.uint16).reshape(SHAPE)
        Image.fromarray(ramp).save(folder / f"{number}.{ending}")
    return folder


def levels(frame: VideoFrame) -> tuple[int, int]:
    return int(frame.image.min()), int(frame.image.max())


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_used_bits_give_full_contrast(bits: int, ending: str, tmp_path: Path) -> None:
    video, frames = read(write_values(tmp_path / "v", (0, 2**bits - 1), ending=ending))
    assert levels(frames[0]) == (0, 255)
    assert np.array_equal(frames[0].image[:, :, 0], np.sort(frames[0].image[:, :, 0], axis=None).reshape(SHAPE))
    assert video.notes == [f"the 16-bit images use the values 0 to {2**bits - 1}, which were scaled to 0 to 255"]


def test_all_frames_are_scaled_alike_whatever_is_read(tmp_path: Path) -> None:
    """Scaled by its own range each frame would flicker, and a reader of some frames would see others."""
    folder = write_values(tmp_path / "v", (7000, 7500), (7200, 8000), (7400, 7600), (7000, 7000))
    whole = read(folder)[1]
    assert [levels(frame) for frame in whole] == [(0, 128), (51, 255), (102, 153), (0, 0)]
    windows = [read(folder, start=1, end=3)[1], list(ReversedVideo(folder, last=2))]
    with Video(folder, only={2}) as video:
        windows.append(list(video))
    for frames in windows:
        for frame in frames:
            assert np.array_equal(frame.image, whole[frame.index].image)


@pytest.mark.parametrize("low_high", [(0, 65_535), (0, 32_768), (20_000, 60_000), (3000, 3000), (65_535, 65_535)])
def test_wide_range_and_single_value_keep_their_upper_bits(low_high: tuple[int, int], tmp_path: Path) -> None:
    video, (frame,) = read(write_values(tmp_path / "v", low_high))
    with Image.open(tmp_path / "v/0.png") as image:
        assert np.array_equal(frame.image[:, :, 0], np.asarray(image) >> 8)
    assert video.notes == []


def test_images_that_are_not_read_do_not_hinder_the_others(tmp_path: Path) -> None:
    folder = write_values(tmp_path / "v", (0, 1000), (0, 4000), (0, 4000))
    Image.new("RGB", SHAPE[::-1], "red").save(folder / "3.png")  # of 8 bits: it does not count
    (folder / "2.png").write_bytes(b"damaged")
    (folder / "4.png").symlink_to("nowhere")
    with Video(folder, only={0, 3}) as video:
        grey, red = video
    assert levels(grey) == (0, 64)
    assert (red.image == (255, 0, 0)).all()


def test_changed_image_is_looked_at_again(tmp_path: Path) -> None:
    assert levels(read(write_values(tmp_path / "v", (0, 1000), (0, 4000)))[1][0]) == (0, 64)
    assert levels(read(write_values(tmp_path / "v", (0, 1000), (0, 500)))[1][0]) == (0, 255)
