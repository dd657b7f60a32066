"""Reading backward gives bit for bit the frames of reading forward in every format, with few of them in memory."""

import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from jobs.errors import VideoError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos import video_file
from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.reversed_video import ReversedVideo
from jobs.inputs.videos.video import Video
from jobs.inputs.videos.video_file import VideoFile
from tests.jobs.inputs.containers import remux
from tests.jobs.inputs.videos.test_damage import HEVC, VP9, encode, flip, without_packets
from tests.jobs.inputs.videos.test_video import HEIGHT, WIDTH, picture, turn, with_matrix, write

FRAME_BYTES = HEIGHT * WIDTH * 3
X264 = {"preset": "veryfast", "crf": "20"}
# name -> codec, options, pixel format
CODECS = {
    "h264.mp4": ("libx264", {**X264, "g": "12", "bf": "3"}, "yuv420p"),
    "h264-one-key-frame.mp4": ("libx264", {**X264, "g": "999", "sc_threshold": "0"}, "yuv420p"),
    "h264-open-gop.mp4": ("libx264", {**X264, "x264-params": "open-gop=1:keyint=10:bframes=3"}, "yuv420p"),
    "h264-open-gop.ts": ("libx264", {**X264, "x264-params": "open-gop=1:keyint=10:bframes=3"}, "yuv420p"),
    "h264-intra-refresh.mp4": ("libx264", {**X264, "x264-params": "intra-refresh=1:keyint=10"}, "yuv420p"),
    "h264.ts": ("libx264", {**X264, "g": "12", "bf": "3"}, "yuv420p"),
    "h264.mkv": ("libx264", {**X264, "g": "12", "bf": "3"}, "yuv420p"),
    "h264.avi": ("libx264", {**X264, "g": "12", "bf": "2"}, "yuv420p"),
    "h264-10-bits.mp4": ("libx264", {**X264, "g": "12"}, "yuv420p10le"),
    "hevc.mp4": ("libx265", HEVC, "yuv420p"),
    "hevc-open-gop.mp4": (
        "libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=12:bframes=3:open-gop=1"}, "yuv420p",
    ),
    "hevc.ts": ("libx265", HEVC, "yuv420p"),
    "vp9.webm": ("libvpx-vp9", {**VP9, "g": "10", "auto-alt-ref": "1", "lag-in-frames": "8"}, "yuv420p"),
    "av1.mp4": ("libsvtav1", {"preset": "12", "g": "12"}, "yuv420p"),
    "av1.mkv": ("libsvtav1", {"preset": "12", "g": "12"}, "yuv420p"),
    "h264-one-key-frame.avi": ("libx264", {**X264, "g": "999", "bf": "3", "sc_threshold": "0"}, "yuv420p"),
    "h264-open-gop.avi": ("libx264", {**X264, "x264-params": "open-gop=1:keyint=10:bframes=3"}, "yuv420p"),
    "mpeg4.mp4": ("mpeg4", {"g": "12", "bf": "2"}, "yuv420p"),
    "mpeg4.avi": ("mpeg4", {"g": "12", "bf": "2"}, "yuv420p"),
    "mpeg2.ts": ("mpeg2video", {"g": "12", "bf": "2"}, "yuv420p"),
    "mpeg2.vob": ("mpeg2video", {"g": "12", "bf": "2"}, "yuv420p"),
    "h264.mpg": ("libx264", {**X264, "g": "12", "bf": "3"}, "yuv420p"),
    "h264.flv": ("libx264", {**X264, "g": "12", "bf": "3"}, "yuv420p"),
    "wmv2.wmv": ("wmv2", {"g": "12"}, "yuv420p"),
    "h264.asf": ("libx264", {**X264, "g": "12", "bf": "3"}, "yuv420p"),
    "mpeg2.mxf": ("mpeg2video", {"g": "12", "bf": "2"}, "yuv420p"),
    "h264.mxf": ("libx264", {**X264, "g": "12", "bf": "3"}, "yuv420p"),
    "vp8.ogv": ("libvpx", {"deadline": "realtime", "g": "12"}, "yuv420p"),
    "gif.gif": ("gif", {}, "rgb8"),
    "apng.apng": ("apng", {}, "rgb24"),
    "ffv1.mkv": ("ffv1", {}, "yuv444p"),
    "mjpeg.avi": ("mjpeg", {}, "yuvj420p"),
    "mjpeg.mkv": ("mjpeg", {}, "yuvj420p"),
}  # fmt: skip


def forward(path: Path, start: int = 0, end: int | None = None, short_side: int | None = None) -> list[VideoFrame]:
    with Video(path, start=start, end=end, short_side=short_side) as video:
        return list(video)


def backward(path: Path, last: int, first: int = 0, stride: int = 1, chunk: int = 7) -> list[VideoFrame]:
    """Read with chunks of `chunk` frames, so that a short file has several."""
    reader = ReversedVideo(path, last=last, first=first, stride=stride, buffer_bytes=chunk * FRAME_BYTES)
    assert list(reader.scan()) == ([] if path.is_dir() else list(range(last + 1)))
    return list(reader)


def assert_same(found: list[VideoFrame], expected: list[VideoFrame]) -> None:
    assert [frame.index for frame in found] == [frame.index for frame in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.name, one.pts_seconds, one.height, one.width) == (
            other.name,
            other.pts_seconds,
            other.height,
            other.width,
        )
        assert np.array_equal(one.image, other.image), one.index


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The times of all frames decoded during the test."""
    times: list[int] = []
    decode = VideoFile._decode

    def noting(file: VideoFile) -> Iterator[av.VideoFrame]:
        for frame in decode(file):
            times.append(frame.pts or 0)
            yield frame

    monkeypatch.setattr(VideoFile, "_decode", noting)
    return times


def variable_rate(path: Path) -> Path:
    """Write frames of growing duration, with a pause of a minute."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=90_000, options={**X264, "g": "8", "bf": "2"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt, stream.time_base = HEIGHT, WIDTH, "yuv420p", Fraction(1, 90_000)
        for t in range(40):
            frame = av.VideoFrame.from_ndarray(picture(t), format="rgb24")
            frame.pts, frame.time_base = 3000 * t + 200 * t * t + (5_400_000 if t > 25 else 0), stream.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def still(path: Path) -> Path:
    """Write a still picture in a format whose seeks are inexact."""
    frames = [av.VideoFrame.from_ndarray(picture(0), format="rgb24")] * 48
    with av.open(str(path.with_suffix(".ts")), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"g": "6"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for frame in [*frames, None]:
            container.mux(stream.encode(frame))
    return path.with_suffix(".ts")


def turned(path: Path) -> Path:
    """Write an MP4 whose header rotates it by 90 degrees, as phones write them."""
    return turn(write(path, 30), 90)


def transposed(path: Path) -> Path:
    """Write an MP4 whose header exchanges rows and columns."""
    return with_matrix(write(path, 30), 0, 1, 1, 0)


@pytest.mark.parametrize("name", CODECS)
def test_frames_equal_those_of_reading_forward(name: str, tmp_path: Path) -> None:
    codec, options, pixels = CODECS[name]
    path = encode(tmp_path / name, codec, options, pixels=pixels)
    expected = forward(path)
    assert len(expected) >= 47
    assert_same(backward(path, len(expected) - 1), expected[::-1])
    assert_same(backward(path, 30, first=11), expected[30:10:-1])
    assert_same(backward(path, 40, stride=6, chunk=2), expected[40::-6])


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "h264-open-gop.mp4", "hevc.mp4", "vp9.webm", "av1.mp4"])
def test_chunks_are_decoded_from_key_frames_not_from_the_beginning(
    name: str, tmp_path: Path, decoded: list[int]
) -> None:
    codec, options, pixels = CODECS[name]
    backward(encode(tmp_path / name, codec, options, pixels=pixels), 46)
    assert len(decoded) < 47 * 2.5  # decoding every chunk from the beginning would take 47 * 4


@pytest.mark.parametrize("make", [variable_rate, turned, transposed, still])
def test_times_and_rotations_equal_those_of_reading_forward(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path / "v.mp4")
    expected = forward(path)
    assert len(expected) >= 30
    assert_same(backward(path, len(expected) - 1), expected[::-1])


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("seed", range(3))
def test_damaged_file_gives_the_frames_of_reading_forward(
    ending: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads are off: with them, even two forward readings differ."""
    monkeypatch.setattr(video_file, "THREADS", "NONE")
    whole = encode(tmp_path / f"v.{ending}", "libx264", {"preset": "ultrafast", "g": "12"})
    path = flip(whole, tmp_path / f"flipped.{ending}", seed)
    expected = forward(path)
    assert len(expected) > 20
    assert_same(backward(path, len(expected) - 1), expected[::-1])


def test_lost_packets_and_a_late_beginning_give_the_frames_of_reading_forward(tmp_path: Path) -> None:
    hevc = encode(tmp_path / "v.mp4", "libx265", HEVC)
    late = encode(tmp_path / "v.ts", "libx265", HEVC)
    for path in (
        without_packets(hevc, tmp_path / "lost.mp4", range(20, 22)),
        without_packets(late, tmp_path / "late.ts", range(5)),
    ):
        expected = forward(path)
        assert_same(backward(path, len(expected) - 1), expected[::-1])


def test_unseekable_file_is_decoded_from_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "v.mp4", "libx264", {**X264, "g": "12"})
    expected = forward(path)

    def nowhere(*_: object) -> Iterator[av.VideoFrame]:
        raise VideoError("cannot go there")

    monkeypatch.setattr(VideoFile, "decode_near", nowhere)
    assert_same(backward(path, 47), expected[::-1])


def test_frames_that_differ_after_a_seek_are_not_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a seek, an open or damaged group of pictures can have the right times and other pixels."""
    path = encode(tmp_path / "v.mp4", "libx264", {**X264, "g": "12"})
    expected = forward(path)
    near = VideoFile.decode_near

    def spoiled(file: VideoFile, time: int) -> Iterator[av.VideoFrame]:
        for frame in near(file, time):
            other = av.VideoFrame.from_ndarray(255 - frame.to_ndarray(format="rgb24"), format="rgb24")
            other.pts, other.time_base = frame.pts, frame.time_base
            yield other

    monkeypatch.setattr(VideoFile, "decode_near", spoiled)
    assert_same(backward(path, 47), expected[::-1])


def test_folder_of_images_is_read_backward(tmp_path: Path) -> None:
    for t in range(12):
        Image.fromarray(picture(t)).save(tmp_path / f"{t}.png")
    expected = forward(tmp_path)
    assert_same(backward(tmp_path, 11), expected[::-1])
    assert_same(backward(tmp_path, 9, first=2, stride=3), [expected[9], expected[6], expected[3]])
    Image.fromarray(picture(0, 50, 64)).save(tmp_path / "4.png")
    with pytest.raises(VideoError, match="changes at frame 5, from 64x50 to 64x48"):
        backward(tmp_path, 9)


def test_frame_beyond_the_end_raises(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.fromarray(picture(0)).save(tmp_path / "images/0.png")
    for path, frames in ((write(tmp_path / "v.mp4", 10), 10), (tmp_path / "images", 1)):
        with pytest.raises(VideoError, match=f"there is no frame 30; the video has frames 0 to {frames - 1}"):
            backward(path, 30)


def test_limits_hold_for_reading_backward(tmp_path: Path) -> None:
    counted = write(tmp_path / "v.mp4", 30)
    for path in (counted, remux(counted, tmp_path / "v.ts")):
        with pytest.raises(VideoError, match="has (30|more) frames; legal: up to 20"):
            list(ReversedVideo(path, last=29, limits=VideoLimits(max_frames=20)).scan())
        assert len(list(ReversedVideo(path, last=19, limits=VideoLimits(max_frames=20)).scan())) == 20
        with pytest.raises(VideoError, match="64x48, 3,072 pixels; legal: up to 3,071"):
            list(ReversedVideo(path, last=9, limits=VideoLimits(max_pixels=WIDTH * HEIGHT - 1)).scan())


def test_frames_in_memory_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "v.mp4", "libx264", {**X264, "g": "12"}, frames=120)
    alive, most = 0, 0
    convert = VideoFile.convert

    def freed() -> None:
        nonlocal alive
        alive -= 1

    def counted(*args: Any) -> VideoFrame:
        nonlocal alive, most
        converted = convert(*args)
        weakref.finalize(converted, freed)
        alive += 1
        most = max(most, alive)
        return converted

    monkeypatch.setattr(VideoFile, "convert", counted)
    reader = ReversedVideo(path, last=119, buffer_bytes=10 * FRAME_BYTES)
    assert len(list(reader.scan())) == 120
    assert sum(1 for _ in reader) == 120
    assert most <= 10 + 1  # the last is the frame that was returned
