"""Real files: frames, times and sizes are those that were written; damage and traps are refused."""

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.errors import VideoError
from jobs.video import Video, VideoFrame, VideoWriter

HEIGHT, WIDTH = 48, 64


def picture(t: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Red on the left and blue on the right, brighter from frame to frame."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = image[:, width // 2 :, 2] = 60 + 15 * t % 180
    return image


def write(path: Path, frames: int = 10, rate: Fraction = Fraction(25)) -> Path:
    with VideoWriter(path, rate) as writer:
        for t in range(frames):
            writer.write(picture(t))
    return path


def read(path: Path, start: int = 0, end: int | None = None) -> tuple[Video, list[VideoFrame]]:
    with Video(path, start, end) as video:
        return video, list(video)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(15)])
def test_a_file_gives_its_frames_and_times(rate: Fraction, tmp_path: Path) -> None:
    video, frames = read(write(tmp_path / "v.mp4", 10, rate))
    assert video.frames_expected == video.frames_decoded == 10
    assert video.frames_corrupt == 0
    assert video.frames_per_second == rate
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.pts_seconds for frame in frames] == pytest.approx([t / float(rate) for t in range(10)], abs=1e-4)
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image.astype(int) - picture(frame.index)).mean() < 6


def test_a_window_keeps_the_videos_own_numbers(tmp_path: Path) -> None:
    video, frames = read(write(tmp_path / "v.mp4"), start=3, end=6)
    assert [frame.index for frame in frames] == [3, 4, 5]
    assert frames[0].pts_seconds == pytest.approx(3 / 25)
    assert video.frames_expected == video.frames_decoded == 3


def test_a_folder_gives_its_images_by_name(tmp_path: Path) -> None:
    for t in (0, 5, 10):
        Image.fromarray(picture(t)).save(tmp_path / f"{t:05d}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    video, frames = read(tmp_path)
    assert video.names == ["00000", "00005", "00010"]
    assert [(f.index, f.name, f.pts_seconds) for f in frames] == [
        (0, "00000", None),
        (1, "00005", None),
        (2, "00010", None),
    ]
    assert np.array_equal(frames[1].image, picture(5))


def test_images_are_in_the_order_of_the_numbers_in_their_names(tmp_path: Path) -> None:
    for t in (1, 2, 10, 9):
        Image.fromarray(picture(t)).save(tmp_path / f"frame{t}.png")
    Image.fromarray(picture(0)).save(tmp_path / "._frame1.png")
    assert read(tmp_path)[0].names == ["frame1", "frame2", "frame9", "frame10"]


def test_sixteen_bit_images_keep_their_picture(tmp_path: Path) -> None:
    grey = picture(3).max(axis=2)
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "0.png")
    _, (frame,) = read(tmp_path)
    assert np.array_equal(frame.image, np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize(("degrees", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_a_rotated_file_comes_upright(degrees: int, turns: int, tmp_path: Path) -> None:
    """The track header's matrix says how far players turn the picture clockwise, as phones write it."""
    path = write(tmp_path / "v.mp4", 3)
    content = bytearray(path.read_bytes())
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = struct.pack(">9i", cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    start = content.index(b"tkhd") + 4 + 40
    content[start : start + 36] = matrix
    path.write_bytes(content)
    _, frames = read(path)
    expected = np.rot90(picture(0), turns)
    assert frames[0].image.shape == expected.shape
    assert (frames[0].height, frames[0].width) == expected.shape[:2]  # what masks are scaled to
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("short_side", [24, 48, 100])
def test_frames_are_scaled_down_as_they_are_read(short_side: int, tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", 3)
    (tmp_path / "images").mkdir()
    for t in range(3):
        Image.fromarray(picture(t)).save(tmp_path / f"images/{t}.png")
    side = min(short_side, HEIGHT)
    for source in (path, tmp_path / "images"):
        with Video(source, short_side=short_side) as video:
            frames = list(video)
        assert [frame.image.shape for frame in frames] == [(side, side * WIDTH // HEIGHT, 3)] * 3
        assert {(frame.height, frame.width) for frame in frames} == {(HEIGHT, WIDTH)}
        for frame in frames:
            assert np.abs(frame.image.astype(int) - picture(frame.index, *frame.image.shape[:2])).mean() < 8


def test_a_fine_pattern_is_averaged_and_not_picked_from(tmp_path: Path) -> None:
    """Scaling down by 4 without a low-pass filter would keep one of the pattern's two columns."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    with VideoWriter(tmp_path / "v.mp4", Fraction(25)) as writer:
        writer.write(stripes)
    with Video(tmp_path / "v.mp4", short_side=16) as video:
        (frame,) = video
    assert np.abs(frame.image[4:-4, 4:-4].astype(int) - 100).max() < 20


def test_a_frame_size_that_changes_is_refused(tmp_path: Path) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "0.png")
    Image.fromarray(picture(0, 50, 64)).save(tmp_path / "1.png")
    with pytest.raises(VideoError, match="changes at frame 1, from 64x48 to 64x50"):
        read(tmp_path)


def test_an_empty_file_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").touch()
    with pytest.raises(VideoError, match="is an empty file"):
        read(tmp_path / "v.mp4")


@pytest.mark.parametrize("content", [b"no video at all", b"ffconcat version 1.0\nfile 'secret.mp4'\n"])
def test_what_is_no_video_is_refused(content: bytes, tmp_path: Path) -> None:
    write(tmp_path / "secret.mp4")
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(VideoError, match="cannot be opened as a video"):
        read(tmp_path / "v.mp4")


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(VideoError):
        read(path)


def test_damage_is_counted(tmp_path: Path) -> None:
    """Bytes flipped in the middle of the coded frames lose frames or mark them, but raise nothing."""
    path = write(tmp_path / "v.mp4", 40)
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat")
    rng = np.random.default_rng(3)
    for position in rng.integers(start + 1500, start + (len(content) - start) // 2, 12):
        content[position] ^= 0xFF
    path.write_bytes(content)
    video, frames = read(path)
    assert video.frames_expected == 40
    assert len(frames) == video.frames_decoded
    assert video.frames_decoded < 40 or video.frames_corrupt > 0


def test_a_folder_without_images_or_with_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="holds no images"):
        read(tmp_path)
    (tmp_path / "0.jpg").write_bytes(b"no jpeg")
    with pytest.raises(VideoError, match=r"0\.jpg cannot be read"):
        read(tmp_path)


def test_an_odd_size_is_written_without_its_last_row(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", Fraction(25)) as writer:
        writer.write(picture(0, 47, 63))
    _, frames = read(tmp_path / "v.mp4")
    assert frames[0].image.shape == (46, 62, 3)
