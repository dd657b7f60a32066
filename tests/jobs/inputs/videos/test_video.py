"""Real files are read with the frames, times and sizes that were written; damaged and hostile files are refused."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from jobs.errors import VideoError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos.container import CODECS
from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.video import Video
from jobs.outputs.video_writer import VideoWriter
from tests.jobs.inputs.containers import avi, remux, replace_box
from tests.jobs.inputs.hostile_videos import TABLES

HEIGHT, WIDTH = 48, 64


def picture(t: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Draw red on the left and blue on the right, brighter from frame to frame."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = image[:, width // 2 :, 2] = 60 + 15 * t % 180
    return image


def write(path: Path, frames: int = 10, rate: Fraction = Fraction(25)) -> Path:
    with VideoWriter(path, rate) as writer:
        for t in range(frames):
            writer.write(picture(t))
    return path


def read(path: Path, start: int = 0, end: int | None = None) -> tuple[Video, list[VideoFrame]]:
    with Video(path, start=start, end=end) as video:
        return video, list(video)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(15)])
def test_file_gives_its_frames_and_times(rate: Fraction, tmp_path: Path) -> None:
    video, frames = read(write(tmp_path / "v.mp4", 10, rate))
    assert video.frames_expected == video.frames_decoded == 10
    assert video.frames_corrupt == 0
    assert video.frames_per_second == rate
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.pts_seconds for frame in frames] == pytest.approx([t / float(rate) for t in range(10)], abs=1e-4)
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image.astype(int) - picture(frame.index)).mean() < 6


def test_window_keeps_the_videos_frame_numbers(tmp_path: Path) -> None:
    video, frames = read(write(tmp_path / "v.mp4"), start=3, end=6)
    assert [frame.index for frame in frames] == [3, 4, 5]
    assert frames[0].pts_seconds == pytest.approx(3 / 25)
    assert video.frames_expected == video.frames_decoded == 3


def test_folder_gives_its_images_by_name(tmp_path: Path) -> None:
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


def test_images_are_sorted_by_the_numbers_in_their_names(tmp_path: Path) -> None:
    for t in (1, 2, 10, 9):
        Image.fromarray(picture(t)).save(tmp_path / f"frame{t}.png")
    Image.fromarray(picture(0)).save(tmp_path / "._frame1.png")
    assert read(tmp_path)[0].names == ["frame1", "frame2", "frame9", "frame10"]


def test_16_bit_images_are_scaled_to_8_bits(tmp_path: Path) -> None:
    grey = picture(3).max(axis=2)
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "0.png")
    _, (frame,) = read(tmp_path)
    assert np.array_equal(frame.image, np.repeat(grey[:, :, None], 3, axis=2))


@pytest.mark.parametrize(("degrees", "turns"), [(90, -1), (180, 2), (270, 1)])
def test_rotated_file_is_read_upright(degrees: int, turns: int, tmp_path: Path) -> None:
    path = turn(write(tmp_path / "v.mp4", 3), degrees)
    _, frames = read(path)
    expected = np.rot90(picture(0), turns)
    assert frames[0].image.shape == expected.shape
    assert (frames[0].height, frames[0].width) == expected.shape[:2]  # the size that masks are scaled to
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 6


def with_matrix(path: Path, a: float, b: float, c: float, d: float) -> Path:
    """Have an MP4's track header move each pixel to x' = a x + c y, y' = b x + d y."""
    content = bytearray(path.read_bytes())
    one = 1 << 16
    start = content.index(b"tkhd") + 4 + 40
    content[start : start + 24] = struct.pack(">6i", *(round(v * one) for v in (a, b, 0, c, d, 0)))
    path.write_bytes(content)
    return path


def turn(path: Path, degrees: int) -> Path:
    """Have the track header's matrix turn an MP4 clockwise, as phones write it."""
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    return with_matrix(path, cos, sin, -sin, cos)


def corners() -> np.ndarray:
    """Draw a picture whose four corners differ, so that no mirrored or turned copy of it equals it."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32] = (200, 40, 40), (40, 200, 40), (40, 40, 200)
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_mirrored_and_transposed_file_is_read_as_an_image_with_that_exif(orientation: int, tmp_path: Path) -> None:
    """A matrix with the effect of each of EXIF's orientations."""
    with VideoWriter(tmp_path / "v.mp4", Fraction(25)) as writer:
        for _ in range(3):
            writer.write(corners())
    matrices = {1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1)}
    matrices |= {5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0)}
    path = with_matrix(tmp_path / "v.mp4", *matrices[orientation])
    image, exif = Image.fromarray(corners()), Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "images").mkdir()
    image.save(tmp_path / "images/0.png", exif=exif)
    (expected,), (frame, *_) = read(tmp_path / "images")[1], read(path)[1]
    assert (frame.height, frame.width) == (expected.height, expected.width) == expected.image.shape[:2]
    assert np.abs(frame.image.astype(int) - expected.image).mean() < 6
    with Video(path) as video:
        assert video.size_claimed == expected.image.shape[:2]


@pytest.mark.parametrize(
    ("matrix", "like"),
    [
        ((0.8, 0.6, -0.6, 0.8), (1, 0, 0, 1)),
        ((0.6, 0.8, -0.8, 0.6), (0, 1, -1, 0)),
        ((-0.9, 0.1, 0.1, 2.5), (-1, 0, 0, 1)),
        ((0.5, 0, 0, 3), (1, 0, 0, 1)),
        ((0, 0, 0, 0), (1, 0, 0, 1)),
        ((0, 1, 0, 1), (1, 0, 0, 1)),
    ],
)
def test_other_matrices_count_as_the_nearest_quarter_turn(
    matrix: tuple[float, ...], like: tuple[float, ...], tmp_path: Path
) -> None:
    with VideoWriter(tmp_path / "v.mp4", Fraction(25)) as writer:
        writer.write(corners())
    (tmp_path / "w.mp4").write_bytes((tmp_path / "v.mp4").read_bytes())
    (found,), (expected,) = (
        read(with_matrix(tmp_path / name, *values))[1] for name, values in (("v.mp4", matrix), ("w.mp4", like))
    )
    assert np.array_equal(found.image, expected.image)


def test_claimed_size_is_upright_and_known_before_reading(tmp_path: Path) -> None:
    """A mask of another size can be refused before frames are decoded up to `start`."""
    path = write(tmp_path / "v.mp4", 9)
    for source, size in ((path, (HEIGHT, WIDTH)), (turn(write(tmp_path / "w.mp4"), 90), (WIDTH, HEIGHT))):
        with Video(source, start=4) as video:
            assert (video.size_claimed, video.frames_decoded) == (size, 0)
            assert [frame.index for frame in video] == list(range(4, video.frames_claimed or 0))
            assert video.frames_corrupt == 0
    path.write_bytes(replace_box(path.read_bytes(), f"{TABLES}/stco", struct.pack(">III", 0, 1, 2**31)))
    with Video(path) as video:
        assert video.size_claimed is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_claimed_size_of_a_folder_follows_the_first_images_exif(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for ending in ("jpg", "png"):
        folder = tmp_path / ending
        folder.mkdir()
        Image.fromarray(picture(0)).save(folder / f"0.{ending}", exif=exif)
        with Video(folder) as video:
            (frame,) = video
            assert video.size_claimed == frame.image.shape[:2]
    (folder / "0.png").write_bytes(b"damaged")
    with Video(folder) as video:
        assert video.size_claimed is None


def test_only_selects_frames_of_files_and_folders(tmp_path: Path) -> None:
    """Frames keep their numbers, and skipped images are not opened."""
    whole = read(write(tmp_path / "v.mp4"))[1]
    with Video(tmp_path / "v.mp4", start=2, only={0, 3, 5}) as video:
        frames = list(video)
    assert [frame.index for frame in frames] == [3, 5]
    assert all(np.array_equal(frame.image, whole[frame.index].image) for frame in frames)
    (tmp_path / "images").mkdir()
    for index in range(4):
        Image.fromarray(picture(index)).save(tmp_path / f"images/{index}.png")
    (tmp_path / "images/2.png").write_bytes(b"damaged")
    with Video(tmp_path / "images", only={1, 3}) as folder:
        assert [frame.index for frame in folder] == [1, 3]


@pytest.mark.parametrize("short_side", [24, 48, 100])
def test_frames_are_scaled_down_to_the_short_side(short_side: int, tmp_path: Path) -> None:
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


def test_scaling_averages_fine_patterns(tmp_path: Path) -> None:
    """Scaling down by 4 without a low-pass filter would keep only one of the pattern's two columns."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    with VideoWriter(tmp_path / "v.mp4", Fraction(25)) as writer:
        writer.write(stripes)
    with Video(tmp_path / "v.mp4", short_side=16) as video:
        (frame,) = video
    assert np.abs(frame.image[4:-4, 4:-4].astype(int) - 100).max() < 20


def test_changing_frame_size_raises(tmp_path: Path) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "0.png")
    Image.fromarray(picture(0, 50, 64)).save(tmp_path / "1.png")
    with pytest.raises(VideoError, match="changes at frame 1, from 64x48 to 64x50"):
        read(tmp_path)


def test_empty_file_raises(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").touch()
    with pytest.raises(VideoError, match="is an empty file"):
        read(tmp_path / "v.mp4")


@pytest.mark.parametrize("content", [b"no video at all", b"ffconcat version 1.0\nfile 'secret.mp4'\n"])
def test_file_that_is_not_a_video_raises(content: bytes, tmp_path: Path) -> None:
    write(tmp_path / "secret.mp4")
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(VideoError, match="cannot be opened as a video"):
        read(tmp_path / "v.mp4")


def test_truncated_mp4_raises(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(VideoError):
        read(path)


@pytest.mark.parametrize("ending", ["mp4", "ts", "images"])
def test_frames_over_max_pixels_raise(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.mkdir()
    Image.fromarray(picture(0)).save(path / "0.png")
    if ending != "images":
        path = remux(write(tmp_path / "w.mp4", 30), tmp_path / f"v.{ending}")
    with Video(path, limits=VideoLimits(max_pixels=WIDTH * HEIGHT)) as video:
        assert len(list(video)) in (1, 30)
    refused = pytest.raises(VideoError, match="64x48, 3,072 pixels; legal: up to 3,071")
    with refused, Video(path, limits=VideoLimits(max_pixels=WIDTH * HEIGHT - 1)) as video:
        list(video)


def test_more_frames_than_max_frames_raise(tmp_path: Path) -> None:
    """At once if the file stores its number of frames, else when the frame over the limit is decoded."""
    counted = write(tmp_path / "v.mp4", 30)
    uncounted = remux(counted, tmp_path / "v.ts")
    with pytest.raises(VideoError, match="has 30 frames; legal: up to 29. Split it, or give `start` and `end`"):
        Video(counted, limits=VideoLimits(max_frames=29)).__enter__()
    with Video(uncounted, limits=VideoLimits(max_frames=29)) as video:
        frames = iter(video)
        assert [next(frames).index for _ in range(29)] == list(range(29))
        with pytest.raises(VideoError, match="has more frames; legal: up to 29"):
            next(frames)
    for path in (counted, uncounted):
        with Video(path, start=3, end=29, limits=VideoLimits(max_frames=29)) as video:
            assert len(list(video)) == 26


def test_claim_of_more_sample_bytes_than_the_file_has_raises(tmp_path: Path) -> None:
    """The table gives one size for all samples, as for uncompressed sound, and needs no entry per sample."""
    path = write(tmp_path / "v.mp4", 12)
    content = path.read_bytes()
    path.write_bytes(replace_box(content, f"{TABLES}/stsz", struct.pack(">III", 0, 1, len(content) - 100)))
    with Video(path, start=0, end=12):
        pass
    path.write_bytes(replace_box(content, f"{TABLES}/stsz", struct.pack(">III", 0, 2, len(content))))
    with pytest.raises(VideoError, match="its tables claim [0-9,]+ bytes of samples, but the file has"):
        Video(path, start=0, end=12).__enter__()


@pytest.mark.parametrize("codec", ["tscc", "Hap1", "IV41"])
def test_codec_outside_the_allowlist_raises_with_its_name(codec: str, tmp_path: Path) -> None:
    (tmp_path / "v.avi").write_bytes(avi([(b"vids", codec.encode(), b"x" * 99)]))
    with pytest.raises(VideoError, match="is coded as (camtasia|hap|indeo4); legal: h264, hevc, vp8, .* Convert it"):
        read(tmp_path / "v.avi")


def test_allowed_codecs_are_names_that_ffmpeg_knows() -> None:
    """A name that FFmpeg does not know would allow nothing."""
    known = {name for name in CODECS if name in av.codecs_available}
    assert known == set(CODECS)


def test_path_that_looks_like_a_url_is_opened_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would read other.mp4 here: it takes `concat:` for a protocol."""
    write(tmp_path / "other.mp4", 3)
    write(tmp_path / "concat:other.mp4", 7)
    monkeypatch.chdir(tmp_path)
    assert read(Path("concat:other.mp4"))[0].frames_decoded == 7


def test_size_or_rate_that_h264_lacks_raises_video_error(tmp_path: Path) -> None:
    for size, rate in (((1, 9), Fraction(25)), ((48, 64), Fraction(1, 2**31 - 1)), ((2, 20_000), Fraction(25))):
        refused = pytest.raises(VideoError, match="cannot be written as H.264")
        with refused, VideoWriter(tmp_path / "v.mp4", rate) as writer:
            writer.write(np.zeros((*size, 3), np.uint8))


def test_folder_without_images_or_with_a_damaged_one_raises(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="holds no images"):
        read(tmp_path)
    (tmp_path / "0.jpg").write_bytes(b"no jpeg")
    with pytest.raises(VideoError, match=r"0\.jpg cannot be read"):
        read(tmp_path)


def test_odd_size_is_written_without_its_last_row_and_column(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", Fraction(25)) as writer:
        writer.write(picture(0, 47, 63))
    _, frames = read(tmp_path / "v.mp4")
    assert frames[0].image.shape == (46, 62, 3)
