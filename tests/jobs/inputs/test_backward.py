"""Reading backward gives the very frames of reading forward, whatever the format; and holds few of them."""

from pathlib import Path

import numpy as np
import pytest

from jobs.inputs.backward import Backward
from jobs.inputs.images import VideoFrame
from jobs.inputs.video import Video
from jobs.inputs.video_file import VideoFile
from tests.jobs.inputs.test_damage import HEVC, VP9, encode
from tests.jobs.inputs.test_video import HEIGHT, WIDTH

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
    "mpeg4.mp4": ("mpeg4", {"g": "12", "bf": "2"}, "yuv420p"),
    "mpeg4.avi": ("mpeg4", {"g": "12", "bf": "2"}, "yuv420p"),
    "mpeg2.ts": ("mpeg2video", {"g": "12", "bf": "2"}, "yuv420p"),
    "ffv1.mkv": ("ffv1", {}, "yuv444p"),
    "mjpeg.avi": ("mjpeg", {}, "yuvj420p"),
    "mjpeg.mkv": ("mjpeg", {}, "yuvj420p"),
}  # fmt: skip


def forward(path: Path, start: int = 0, end: int | None = None, short_side: int | None = None) -> list[VideoFrame]:
    with Video(path, start, end, short_side) as video:
        return list(video)


def backward(path: Path, last: int, first: int = 0, stride: int = 1, chunk: int = 7) -> list[VideoFrame]:
    """With chunks of so many frames, so that a short file has several."""
    reader = Backward(path, last, first, stride, held_bytes=chunk * FRAME_BYTES)
    assert list(reader.look()) == ([] if path.is_dir() else list(range(last + 1)))
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


class Decoded:
    """Counts frames that are decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames = 0
        decode = VideoFile._decode

        def counted(file: VideoFile) -> object:
            for frame in decode(file):
                self.frames += 1
                yield frame

        monkeypatch.setattr(VideoFile, "_decode", counted)


@pytest.mark.parametrize("name", CODECS)
def test_frames_are_those_of_reading_forward(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, options, pixels = CODECS[name]
    path = encode(tmp_path / name, codec, options, pixels=pixels)
    expected = forward(path)
    assert len(expected) >= 47
    decoded = Decoded(monkeypatch)
    assert_same(backward(path, len(expected) - 1), expected[::-1])
    print(name, decoded.frames)
    assert_same(backward(path, 30, first=11), expected[30:10:-1])
    assert_same(backward(path, 40, stride=6, chunk=2), expected[40::-6])
