"""Of several streams the one is read that FFmpeg takes, by every reader, and the choice is told."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from jobs.errors import VideoError
from jobs.inputs.videos.reversed_video import ReversedVideo
from jobs.inputs.videos.video import Video
from tests.jobs.inputs.containers import element, matroska
from tests.jobs.inputs.videos.test_damage import encode
from tests.jobs.inputs.videos.test_video import picture, read, turn

SMALL, LARGE = (48, 64), (96, 128)  # height, width
Stream = tuple[tuple[int, int], Disposition | None, str]


def write_streams(path: Path, streams: Sequence[Stream], frames: int = 6) -> Path:
    """Write a video stream for each size, disposition and codec."""
    with av.open(str(path), "w") as container:
        added = []
        for (height, width), disposition, codec in streams:
            stream: Any = container.add_stream(codec, rate=25)
            stream.height, stream.width = height, width
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            if disposition is not None:
                stream.disposition = disposition
            added.append(stream)
        for t in range(frames):
            for stream in added:
                image = picture(t, stream.height, stream.width)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        for stream in added:
            container.mux(stream.encode(None))
    return path


def streams_of(*sizes: tuple[int, int]) -> list[Stream]:
    return [(size, Disposition.default, "libx264") for size in sizes]


@pytest.mark.parametrize("ending", ["mkv", "mp4", "ts", "avi"])
@pytest.mark.parametrize("sizes", [(SMALL, LARGE), (LARGE, SMALL)])
def test_largest_stream_is_read_forward_and_backward(
    sizes: tuple[tuple[int, int], ...], ending: str, tmp_path: Path
) -> None:
    """A camera's preview beside its picture: neither the first stream, nor the one of most frames."""
    video, frames = read(write_streams(tmp_path / f"v.{ending}", streams_of(*sizes)))
    assert {(frame.height, frame.width) for frame in frames} == {LARGE}
    assert video.frames_decoded == 6
    backward = ReversedVideo(tmp_path / f"v.{ending}", last=5)
    assert list(backward.scan()) == list(range(6))
    assert [frame.image.shape[:2] for frame in backward] == [LARGE] * 6


def test_the_choice_is_told_with_all_sizes(tmp_path: Path) -> None:
    path = write_streams(tmp_path / "v.mkv", streams_of(SMALL, LARGE, SMALL))
    with Video(path) as video:
        assert video.size_claimed == LARGE
        assert video.notes == [
            "the file has 3 video streams (stream 0 of 64x48, stream 1 of 128x96, stream 2 of 64x48); stream 1 was read"
        ]
    assert read(write_streams(tmp_path / "w.mkv", streams_of(SMALL)))[0].notes == []


def test_default_stream_counts_for_as_many_pixels_as_in_ffmpeg(tmp_path: Path) -> None:
    marked: list[Stream] = [(LARGE, Disposition(0), "libx264"), (SMALL, Disposition.default, "libx264")]
    _, (frame, *_) = read(write_streams(tmp_path / "v.mkv", marked))
    assert (frame.height, frame.width) == SMALL


def test_cover_picture_is_read_only_if_there_is_nothing_else(tmp_path: Path) -> None:
    cover: Stream = (LARGE, Disposition.attached_pic, "mjpeg")
    video, frames = read(write_streams(tmp_path / "v.mp4", [cover, *streams_of(SMALL)], frames=1))
    assert [(frame.height, frame.width) for frame in frames] == [SMALL]
    assert video.notes == []


def test_stream_of_a_known_codec_is_preferred(tmp_path: Path) -> None:
    """Of a stream that no decoder knows, not even the size is told."""
    number = element("d7", b"\2") + element("73c5", b"\2") + element("83", b"\1") + element("86", b"V_UNKNOWN")
    other = element("1654ae6b", element("ae", number + element("e0", element("b0", b"\xff") + element("ba", b"\xff"))))
    encode(tmp_path / "0.mkv", "mjpeg", {}, frames=1, pixels="yuvj420p")
    with av.open(str(tmp_path / "0.mkv")) as container:
        jpeg = bytes(next(container.demux(video=0)))
    (tmp_path / "v.mkv").write_bytes(matroska("V_MJPEG", (64, 48), [jpeg] * 3, others=other))
    assert read(tmp_path / "v.mkv")[0].frames_decoded == 3


def test_sound_alone_raises(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "v.mkv"), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        silence.rate = 8000
        container.mux(sound.encode(silence))
    with pytest.raises(VideoError, match="has no video stream"):
        read(tmp_path / "v.mkv")


def anamorphic(path: Path, aspect: Fraction | None) -> Path:
    """Write a video with pixels that are not square."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = *SMALL, "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio = aspect
        for t in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(t, *SMALL), format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "ts"])
def test_pixel_aspect_is_the_files(ending: str, tmp_path: Path) -> None:
    for aspect, expected in ((Fraction(64, 45), 64 / 45), (Fraction(1), 1.0), (None, None)):
        video, _ = read(anamorphic(tmp_path / f"v.{ending}", aspect))
        assert video.pixel_aspect == pytest.approx(expected)


def test_pixel_aspect_is_that_of_upright_pixels(tmp_path: Path) -> None:
    for degrees, expected in ((90, 0.5), (180, 2.0)):
        video, _ = read(turn(anamorphic(tmp_path / "v.mp4", Fraction(2)), degrees))
        assert video.pixel_aspect == expected


def test_folder_says_nothing_of_its_pixels(tmp_path: Path) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "0.png")
    video, _ = read(tmp_path)
    assert (video.pixel_aspect, video.notes) == (None, [])
