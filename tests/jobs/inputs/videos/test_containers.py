"""Every container is opened by its content, read whole, noticed when it is cut off, and named when it is refused."""

import contextlib
import gzip
import struct
from pathlib import Path

import av
import pytest
from PIL import Image

from jobs.errors import VideoError
from jobs.inputs.videos import container_probe, signatures
from jobs.inputs.videos.container import FORMATS
from jobs.inputs.videos.truncation import is_truncated
from tests.jobs.inputs.containers import box
from tests.jobs.inputs.videos.test_damage import encode, is_reported_damaged
from tests.jobs.inputs.videos.test_reversed_video import CODECS
from tests.jobs.inputs.videos.test_video import picture, read, write

KINDS = {
    "mpeg2.vob": signatures.MPEG_PS, "h264.mpg": signatures.MPEG_PS, "h264.flv": signatures.FLV,
    "wmv2.wmv": signatures.ASF, "h264.asf": signatures.ASF, "mpeg2.mxf": signatures.MXF, "h264.mxf": signatures.MXF,
    "vp8.ogv": signatures.OGG, "gif.gif": signatures.GIF, "apng.apng": signatures.PNG, "h264.avi": signatures.AVI,
    "h264.mkv": signatures.MATROSKA, "h264.ts": signatures.MPEG_TS, "h264.mp4": signatures.MP4,
}  # fmt: skip
WITHOUT_LATER_TIMES = ("h264.mpg",)  # a program stream has a time for each packet of 2 kB: here, for the first frame
MISLEADING = ("png", "jpg", "gif", "webm", "m3u8", "mp3", "yuv", "txt")
UNCHECKED = ("h264.ts", "h264.mp4", "h264.avi")  # a cut between packets; files that count their frames


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A video of 48 frames for each container."""
    folder = tmp_path_factory.mktemp("containers")
    return {name: encode(folder / name, CODECS[name][0], CODECS[name][1], pixels=CODECS[name][2]) for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_all_frames_come_with_times_whatever_the_name(name: str, videos: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "camera.bin"
    path.write_bytes(videos[name].read_bytes())
    video, frames = read(path)
    assert len(frames) == 48
    assert not is_reported_damaged(video)
    assert float(video.frames_per_second) == pytest.approx(24, abs=1.1 if name == "gif.gif" else 0.5)
    if name not in WITHOUT_LATER_TIMES:
        first = frames[0].pts_seconds or 0
        expected = [t / 24 for t in range(48)]
        tolerance = 0.011 if name == "gif.gif" else 0.002  # GIF's clock has ticks of 0.01 s
        assert [(frame.pts_seconds or 0) - first for frame in frames] == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", KINDS)
def test_short_video_opens_under_a_name_of_another_format(name: str, tmp_path: Path) -> None:
    codec, options, pixels = CODECS[name]
    content = encode(tmp_path / name, codec, options, 6, pixels=pixels).read_bytes()
    for ending in MISLEADING:
        path = tmp_path / f"other.{ending}"
        path.write_bytes(content)
        assert len(read(path)[1]) == 6, path


@pytest.mark.parametrize("name", KINDS)
def test_container_is_recognised_and_only_mp4_has_boxes(name: str, videos: dict[str, Path]) -> None:
    assert signatures.identify(videos[name]) == KINDS[name]
    assert (KINDS[name] in container_probe.OTHER_FORMATS) == (KINDS[name] != signatures.MP4)
    assert container_probe.claimed_bytes(videos[name]) == 0


@pytest.mark.parametrize("name", [name for name in KINDS if name not in UNCHECKED])
@pytest.mark.parametrize("part", [0.3, 0.5, 0.7, 0.9, 0.97])
def test_cut_off_file_is_noticed(name: str, part: float, videos: dict[str, Path], tmp_path: Path) -> None:
    content = videos[name].read_bytes()
    cut = tmp_path / name
    cut.write_bytes(content[: int(len(content) * part) + 7])  # not between two packets of 2,048 bytes
    assert is_truncated(cut)
    assert not is_truncated(videos[name])
    with contextlib.suppress(VideoError):  # with too little left
        assert is_reported_damaged(read(cut)[0])


def test_flv_without_the_lengths_of_its_tags_is_walked(videos: dict[str, Path], tmp_path: Path) -> None:
    """Some programs write zeros there."""
    content = bytearray(videos["h264.flv"].read_bytes())
    at = 13
    while at < len(content):
        at += 15 + int.from_bytes(content[at + 1 : at + 4], "big")
        content[at - 4 : at] = bytes(4)
    (tmp_path / "v.flv").write_bytes(content)
    assert not is_truncated(tmp_path / "v.flv")
    (tmp_path / "v.flv").write_bytes(content[:-30])
    assert is_truncated(tmp_path / "v.flv")


def test_recordings_that_do_not_know_their_length_are_not_truncated(videos: dict[str, Path], tmp_path: Path) -> None:
    asf = bytearray(videos["wmv2.wmv"].read_bytes())
    at = asf.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    asf[at + 40 : at + 48] = struct.pack("<Q", 2**40)
    asf[at + 88] |= 1  # a broadcast
    mxf = bytearray(videos["mpeg2.mxf"].read_bytes())
    length = mxf[16] & 0x7F
    mxf[17 + length + 24 : 17 + length + 32] = bytes(8)  # no footer yet
    program = videos["mpeg2.vob"].read_bytes() + b"\0\0\1\xb9"
    for name, content in (("v.wmv", asf), ("v.mxf", mxf), ("v.vob", program), ("w.vob", program + bytes(999))):
        (tmp_path / name).write_bytes(content)
        assert not is_truncated(tmp_path / name), name
        assert read(tmp_path / name)[0].frames_decoded == 48


def test_file_is_opened_only_as_what_its_first_bytes_say(tmp_path: Path) -> None:
    """Else an MP4 whose first box has the length of a program stream's first bytes would escape the check of claims."""
    content = write(tmp_path / "v.mp4", 30).read_bytes()
    for kind, is_read in ((b"free", True), (b"D\0\4\0", False)):
        (tmp_path / "w.mp4").write_bytes(box(kind, bytes(0x1BA - 8)) + content)
        with av.open(str(tmp_path / "w.mp4")) as container:
            assert "mp4" in container.format.name
        if is_read:
            continue
        with pytest.raises(VideoError, match="it is an MPEG program stream"):
            read(tmp_path / "w.mp4")


def test_formats_are_demuxers_that_ffmpeg_has() -> None:
    demuxers = {name for names in FORMATS.values() for name in names.split(",")}
    known = {name for format in av.formats_available for name in format.split(",")}
    assert demuxers <= known


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"RIFF\x24\0\0\0WAVEfmt " + bytes(99), "WAV sound"),
        (b"#EXTM3U\n", "a playlist"),
        (b"[Reference]\nRef1=http://host/v.wmv\n", "a playlist"),
        (gzip.compress(bytes(999), mtime=0), "a gzip archive"),
        (b"PK\3\4" + bytes(99), "a ZIP archive"),
        (b"%PDF-1.7\n", "a PDF document"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
            "a pointer of Git LFS, and not the file itself",
        ),
        (b"<!DOCTYPE html><title>404</title>", "HTML or XML"),
        (b"\xff\xd8\xff\xe0" + bytes(99), "a JPEG image"),
        (b".RMF" + bytes(99), "RealMedia"),
        (b"\0\0\0\x20ftypisom" + bytes(99), "MP4 or MOV"),
        (b"FLV\1\5\0\0\0\x09" + bytes(2), "FLV"),
        (b"no video at all", None),
    ],
)
def test_refused_file_is_named(content: bytes, name: str | None, tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(content)
    said = "its first bytes are of no known format" if name is None else f"by its first bytes it is {name}"
    with pytest.raises(VideoError, match=f"cannot be opened as a video .*{said}; legal: complete files .* MPEG-PS"):
        read(tmp_path / "v.mp4")


def test_image_that_is_no_animation_is_named(tmp_path: Path) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "v.png")
    with pytest.raises(VideoError, match="by its first bytes it is PNG"):
        read(tmp_path / "v.png")
