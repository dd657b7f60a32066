"""A damaged file says so in its row, whatever its format and codec; one that is sound does not."""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from jobs.inputs.video import Video
from tests.jobs.inputs.containers import matroska, remux, replace_box
from tests.jobs.inputs.test_video import HEIGHT, WIDTH, picture, read, write
from tests.parts import SHARED, needs_shared

HEVC = {"preset": "ultrafast", "x265-params": "log-level=none:keyint=12:bframes=0"}
VP9 = {"deadline": "realtime", "cpu-used": "8"}


def encode(
    path: Path, codec: str, options: dict[str, str], frames: int = 48, size: tuple[int, int] = (HEIGHT, WIDTH),
    pixels: str = "yuv420p",
) -> Path:  # fmt: skip
    """A moving texture, for codecs that the job does not write; the same bytes each time."""
    height, width = size
    texture = np.random.default_rng(0).integers(0, 255, (height, width * 2, 3), np.uint8)
    with usual_priority(), av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec, rate=24, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = height, width, pixels
        for t in range(frames):
            image = np.ascontiguousarray(texture[:, t : t + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@contextlib.contextmanager
def usual_priority() -> Iterator[None]:
    """SVT-AV1, run by root, makes the thread that calls it a real-time one, and so what it starts from then on."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def without_packets(path: Path, target: Path, lost: range) -> Path:
    """The same video without some of its coded frames."""
    with av.open(str(path)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(video=0)):
            if packet.dts is not None and number not in lost:
                packet.stream = stream
                new.mux(packet)
    return target


def is_told(video: Video) -> bool:
    """Whether the table of videos says that this one is damaged."""
    return video.frames_corrupt > 0 or video.frames_decoded < (video.frames_expected or 0)


def flip(path: Path, target: Path, seed: int) -> Path:
    """A copy with 20 bytes of its middle turned."""
    content = bytearray(path.read_bytes())
    for position in np.random.default_rng(seed).integers(len(content) * 2 // 5, len(content) * 3 // 5, 20):
        content[position] ^= 0xFF
    target.write_bytes(content)
    return target


@pytest.mark.parametrize("seed", range(5))
def test_flipped_bytes_are_reported_as_damage(seed: int, tmp_path: Path) -> None:
    """They lose frames or mark them, but raise nothing."""
    path = encode(tmp_path / "v.mp4", "libx264", {"preset": "ultrafast"})
    assert not is_told(read(path)[0])
    video, frames = read(flip(path, tmp_path / "flipped.mp4", seed))
    assert video.frames_expected == 48
    assert len(frames) == video.frames_decoded
    assert is_told(video)


@needs_shared
@pytest.mark.parametrize("name", ["cosmos-10s", "cutie-example", "sam2-bedroom", "sam2-dog"])
def test_real_footage_has_damage_only_once_bytes_are_flipped(name: str, tmp_path: Path) -> None:
    path = SHARED / f"videos/{name}.mp4"
    for source, damaged in ((path, False), (flip(path, tmp_path / "flipped.mp4", 0), True)):
        with Video(source, short_side=120) as video:
            assert sum(1 for _ in video) == video.frames_decoded > 100
        assert is_told(video) == damaged


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_sound_file_has_no_damage(ending: str, tmp_path: Path) -> None:
    video, frames = read(remux(write(tmp_path / "v.mp4", 40), tmp_path / f"remuxed.{ending}"))
    assert len(frames) == 40
    assert not is_told(video)


@pytest.mark.parametrize("kept", [(0.0, 0.5), (1.0, 0.5), (0.52, 9.0)])
def test_frames_that_an_edit_list_cuts_away_are_not_missing(kept: tuple[float, float], tmp_path: Path) -> None:
    """Phones trim videos so: the frames stay in the file, and players do not show them."""
    start, seconds = kept
    path = write(tmp_path / "v.mp4", 40)
    edit = struct.pack(">IIIIHH", 0, 1, round(seconds * 1000), 1024 + round(start * 12_800), 1, 0)
    path.write_bytes(replace_box(path.read_bytes(), "moov/trak/edts/elst", edit))
    video, frames = read(path)
    assert 5 <= len(frames) <= 30
    assert video.frames_expected == len(frames)
    assert not is_told(video)


@pytest.mark.parametrize(("ending", "part"), [("ts", 0.5), ("ts", 0.8), ("mkv", 0.5), ("mkv", 0.99)])
def test_a_file_that_is_cut_off_is_told(ending: str, part: float, tmp_path: Path) -> None:
    """Neither says how many frames it has."""
    path = remux(write(tmp_path / "v.mp4", 40), tmp_path / f"v.{ending}")
    within_a_packet = int(path.stat().st_size * part) // 188 * 188 + 90
    path.write_bytes(path.read_bytes()[:within_a_packet])
    video, frames = read(path)
    assert 0 < len(frames) <= 40
    assert is_told(video)


def test_truncated_matroska_file_is_detected(tmp_path: Path) -> None:
    Image.fromarray(picture(0)).save(tmp_path / "0.jpg")
    content = matroska("V_MJPEG", (WIDTH, HEIGHT), [(tmp_path / "0.jpg").read_bytes()] * 9)
    (tmp_path / "v.mkv").write_bytes(content)
    assert not is_told(read(tmp_path / "v.mkv")[0])
    (tmp_path / "v.mkv").write_bytes(content[:-10])
    assert is_told(read(tmp_path / "v.mkv")[0])


def test_damaged_matroska_cluster_is_reported(tmp_path: Path) -> None:
    """Its reader loses its way there, and stops without an error."""
    path = encode(tmp_path / "v.webm", "libvpx-vp9", VP9)
    assert not is_told(read(path)[0])
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + content[middle + 300 :] + bytes(300))
    video, frames = read(path)
    assert len(frames) < 40
    assert abs((video.frames_expected or 0) - 48) <= 2


def test_a_transport_packet_that_is_lost_is_told(tmp_path: Path) -> None:
    path = remux(write(tmp_path / "v.mp4", 40), tmp_path / "v.ts")
    content = path.read_bytes()
    lost = len(content) // 188 // 2 * 188
    path.write_bytes(content[:lost] + content[lost + 188 :])
    assert is_told(read(path)[0])


def transport_errors(path: Path, start: int, flipped: int) -> Path:
    """An MPEG-TS whose packets from a byte on are marked as damaged, with some of the last bytes flipped."""
    content = bytearray(path.read_bytes())
    for packet in range(start // 188 * 188, len(content) - 188, 188):
        content[packet + 1] |= 0x80
        for position in range(packet + 188 - flipped, packet + 188):
            content[position] ^= 0x55
    path.write_bytes(content)
    return path


def test_damage_after_the_window_is_not_the_windows(tmp_path: Path) -> None:
    """The decoder is some frames ahead of what is shown."""
    path = transport_errors(remux(write(tmp_path / "v.mp4", 40), tmp_path / "v.ts"), 9_000, flipped=0)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        first = min(packet.pts for packet in packets if packet.is_corrupt and packet.pts is not None)
        whole = sum(packet.pts is not None and packet.pts < first for packet in packets)
    assert 10 < whole < 30
    assert is_told(read(path)[0])
    assert not is_told(read(path, end=whole)[0])


def test_damage_is_told_once_a_frame(tmp_path: Path) -> None:
    """A frame whose packet the container marks and whose picture the decoder marks is one."""
    texture = encode(tmp_path / "v.mp4", "libx264", {"preset": "ultrafast", "g": "1", "crf": "10"})
    path = transport_errors(remux(texture, tmp_path / "v.ts"), 188 * 9, flipped=40)
    video, frames = read(path)
    assert 20 < video.frames_corrupt <= len(frames) <= 48


def test_hevc_frames_that_lack_what_they_refer_to_are_kept_and_told(tmp_path: Path) -> None:
    """The decoder would leave out all that follow a lost one, up to the next that stands alone."""
    path = encode(tmp_path / "v.mp4", "libx265", HEVC)
    assert not is_told(read(path)[0])
    video, frames = read(without_packets(path, tmp_path / "lost.mp4", range(20, 21)))
    assert len(frames) == 47
    assert video.frames_corrupt == 3


def test_recording_starting_between_key_frames_is_not_damaged(tmp_path: Path) -> None:
    """Its first frames refer to some before it. No player shows them, and they have no number."""
    path = encode(tmp_path / "v.ts", "libx265", HEVC)
    video, frames = read(without_packets(path, tmp_path / "late.ts", range(5)))
    assert len(frames) == 36
    assert not is_told(video)
