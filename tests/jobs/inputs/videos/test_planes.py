"""A reader of planes hands on what FFmpeg's own conversion makes of them, whatever their colours, size and rotation."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import VideoReformatter

from jobs.errors import VideoError
from jobs.inputs.videos.decoding import Decoding
from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.reversed_video import ReversedVideo
from jobs.inputs.videos.rgb_frame import to_rgb
from jobs.inputs.videos.video import Video
from jobs.inputs.videos.yuv_frame import LARGEST, is_planar, to_planes
from jobs.outputs.video_writer import VideoWriter
from jobs.segmenting.scene_cuts import scenes
from stcn_core.frames import scaled_size
from stcn_core.propagation.frame_stream import to_images
from stcn_core.transfers import page_locked
from stcn_core.yuv import YuvFrame
from tests.jobs.inputs.videos.test_damage import encode
from tests.jobs.inputs.videos.test_video import turn, with_matrix, write

PLANES = Decoding(as_planes=True)
BT709, BT470BG, SMPTE240M, BT2020 = 1, 5, 7, 9  # FFmpeg's AVColorSpace
UNSPECIFIED, LIMITED, FULL = 0, 1, 2  # AVColorRange
CPU = torch.device("cpu")


def scene(height: int = 96, width: int = 128) -> np.ndarray:
    """Smooth colours with a few edges, as video has."""
    y, x = np.mgrid[:height, :width] / (height, width)[0]
    picture = np.stack((100 + 90 * np.sin(5 * x), 120 + 90 * np.cos(4 * y), 110 + 80 * np.sin(3 * (x + y))), axis=-1)
    picture[height // 3 : height // 2, width // 4 : width // 2] = (200, 40, 60)
    return picture.round().astype(np.uint8)


def coded(pixel_format: str, colorspace: int, color_range: int, size: tuple[int, int] = (96, 128)) -> av.VideoFrame:
    """A frame as a decoder would return it."""
    frame = av.VideoFrame.from_ndarray(scene(*size), format="rgb24").reformat(format=pixel_format)
    frame.colorspace, frame.color_range = colorspace, color_range
    return frame


def planes_of(frame: av.VideoFrame) -> YuvFrame:
    pixels = to_planes(0, frame, VideoReformatter(), allocate=PLANES.allocate).pixels
    assert isinstance(pixels, YuvFrame)
    return pixels


def converted(pixels: YuvFrame, short_side: int | None = None) -> np.ndarray:
    """In 256 levels, as the network sees it."""
    size = scaled_size(*pixels.size, short_side)
    return to_images([pixels], CPU, size)[0].permute(1, 2, 0).numpy() * 255


def read(path: Path, decoding: Decoding, short_side: int | None = None) -> list[VideoFrame]:
    with Video(path, short_side=short_side, decoding=decoding) as video:
        return list(video)


def assert_agree(frames: list[VideoFrame], of_rgb: list[VideoFrame], short_side: int | None = None) -> None:
    """All but the pixels are equal, and these nearly so: FFmpeg rounds down, and shares chroma among two columns."""
    assert len(frames) == len(of_rgb) > 0
    for frame, other in zip(frames, of_rgb, strict=True):
        assert isinstance(frame.pixels, YuvFrame)
        assert (frame.index, frame.pts_seconds, frame.height, frame.width) == (
            other.index,
            other.pts_seconds,
            other.height,
            other.width,
        )
        assert np.abs(converted(frame.pixels, short_side) - other.image).mean() < 2


@pytest.mark.parametrize("colorspace", [BT709, 2, BT470BG, 6, SMPTE240M, BT2020])
@pytest.mark.parametrize("color_range", [UNSPECIFIED, LIMITED, FULL])
def test_matrix_and_range_are_those_of_the_stream(colorspace: int, color_range: int) -> None:
    frame = coded("yuv420p", colorspace, color_range)
    expected = to_rgb(0, frame, VideoReformatter(), short_side=None).image
    assert np.abs(converted(planes_of(frame)) - expected).max() < 4


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12"])
@pytest.mark.parametrize("size", [(96, 128), (95, 127), (96, 127), (1, 1)])
@pytest.mark.parametrize("short_side", [None, 48])
def test_frames_of_odd_sizes_and_of_interleaved_chroma_agree(
    pixel_format: str, size: tuple[int, int], short_side: int | None
) -> None:
    frame = coded(pixel_format, 2, LIMITED, size)
    expected = to_rgb(0, frame, VideoReformatter(), short_side=short_side).image
    found = converted(planes_of(frame), short_side)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 2


def test_the_margins_of_a_decoders_rows_are_left_out() -> None:
    frame = coded("yuv420p", 2, LIMITED, (96, 100))
    assert frame.planes[0].line_size > 100
    assert np.array_equal(planes_of(frame).planes[0], frame.to_ndarray()[:96])


def test_colours_that_ffmpeg_cannot_convert_are_refused() -> None:
    frame = coded("yuv420p", 8, LIMITED)
    for convert in (lambda: planes_of(frame), lambda: to_rgb(0, frame, VideoReformatter(), short_side=None)):
        with pytest.raises(VideoError, match="frame 0, yuv420p, cannot be converted to RGB"):
            convert()


def test_a_frame_of_another_format_than_its_stream_is_converted_to_planes() -> None:
    frame = coded("yuv444p", 2, LIMITED)
    assert np.abs(converted(planes_of(frame)) - scene()).mean() < 3


@pytest.mark.parametrize("short_side", [None, 32])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turned_files_are_read_upright(degrees: int, short_side: int | None, tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", 4)
    path = turn(path, degrees) if degrees else path
    assert_agree(read(path, PLANES), read(path, Decoding(), short_side), short_side)


def test_mirrored_and_transposed_files_are_read_upright(tmp_path: Path) -> None:
    for number, matrix in enumerate([(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0)]):
        path = with_matrix(write(tmp_path / f"{number}.mp4", 2), *matrix)
        assert_agree(read(path, PLANES), read(path, Decoding()))


@pytest.mark.parametrize(
    ("codec", "pixels", "ending"),
    [
        ("libx264", "yuv420p10le", "mp4"),
        ("ffv1", "yuva420p", "mkv"),
        ("ffv1", "gray", "mkv"),
        ("ffv1", "yuv444p", "mkv"),
    ],
)
def test_other_formats_are_read_in_rgb(codec: str, pixels: str, ending: str, tmp_path: Path) -> None:
    path = encode(tmp_path / f"v.{ending}", codec, {}, pixels=pixels, frames=3)
    for frame, other in zip(read(path, PLANES), read(path, Decoding()), strict=True):
        assert isinstance(frame.pixels, np.ndarray)
        assert np.array_equal(frame.pixels, other.image)


def test_frames_beyond_4k_are_scaled_on_the_host() -> None:
    assert is_planar("yuv420p", LARGEST // 1024, 1024)
    assert not is_planar("yuv420p", LARGEST // 1024 + 1, 1024)


def test_planes_are_equal_when_they_are_read_backward(tmp_path: Path) -> None:
    path = encode(tmp_path / "v.mp4", "libx264", {"g": "12", "bf": "3"})
    forward = read(path, PLANES)
    reader = ReversedVideo(path, last=40, decoding=PLANES, buffer_bytes=7 * forward[0].values.nbytes)
    assert len(list(reader.scan())) == 41
    backward = list(reader)
    assert [frame.index for frame in backward] == list(range(40, -1, -1))
    for frame in backward:
        assert isinstance(frame.pixels, YuvFrame)
        assert np.array_equal(frame.values, forward[frame.index].values)


def test_planes_lie_in_the_memory_that_the_device_asks_for(tmp_path: Path) -> None:
    decoding = Decoding(as_planes=True, allocate=lambda num_bytes: page_locked(num_bytes, CPU))
    (frame, *_) = read(write(tmp_path / "v.mp4", 2), decoding)
    assert isinstance(frame.pixels, YuvFrame)
    assert isinstance(frame.pixels.packed, torch.Tensor)
    assert np.abs(frame.image.astype(int) - read(tmp_path / "v.mp4", Decoding())[0].image).max() < 4


def test_scenes_are_cut_where_they_are_in_rgb(tmp_path: Path) -> None:
    """Of three pictures that differ; the thumbnails of planes are taken from frames that were not scaled down."""
    pictures = [scene(480, 640), 255 - scene(480, 640), scene(480, 640)[::-1]]
    frames = {}
    for name, decoding in (("planes", PLANES), ("rgb", Decoding())):
        path = tmp_path / "v.mp4"
        if not path.exists():
            _write_pictures(path, pictures)
        frames[name] = [number for number, _ in scenes(read(path, decoding, 120))]
    assert frames["planes"] == frames["rgb"] == [0] * 6 + [1] * 6 + [2] * 6


def _write_pictures(path: Path, pictures: list[np.ndarray]) -> None:
    with VideoWriter(path, Fraction(25)) as writer:
        for picture in pictures:
            for _ in range(6):
                writer.write(picture)
