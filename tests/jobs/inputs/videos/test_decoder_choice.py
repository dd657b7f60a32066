"""A GPU decodes a file where it can and gives the CPU's pixels; otherwise the CPU does, and the log says why.

Without a GPU its decoder is pretended: the CPU's, whose frames have interleaved chroma, as a GPU's have.
"""

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch

from jobs.errors import UserError, VideoError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.videos import decoder_choice, nvdec, video_file
from jobs.inputs.videos.decoder_choice import with_decoder
from jobs.inputs.videos.decoding import Decoding
from jobs.inputs.videos.reversed_video import ReversedVideo
from jobs.inputs.videos.video import Video
from jobs.inputs.videos.video_file import VideoFile
from jobs.planning.config import SegmentConfig
from jobs.segmenting.device_decoding import decoding_for
from tests.jobs.inputs.videos.test_damage import HEVC, VP9, encode

LIMITS = VideoLimits()
CPU = Decoding(as_planes=True, threads=1)
CUDA = replace(CPU, decoder="cuda")
X264 = {"g": "12", "bf": "3"}
real_gpu = nvdec.why_unavailable() is None


class Pretended:
    """A GPU's decoder. `decoded`: the paths of the files that it was given, each time."""

    def __init__(self) -> None:
        self.decoded: list[str] = []
        self.pixel_format = "nv12"
        self.wrong: int | None = None  # number of a frame with one wrong value


class Failing:
    """A packet on which the decoder fails."""

    pts = dts = 0
    is_corrupt = False

    def decode(self) -> list[av.VideoFrame]:
        raise av.MemoryError(12, "out of sessions")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    pretended, decode = Pretended(), VideoFile._decode

    def frames(file: VideoFile) -> Iterator[av.VideoFrame]:
        if not file._is_on_gpu:
            yield from decode(file)
            return
        pretended.decoded.append(file._path.name)
        for number, frame in enumerate(decode(file)):
            other = frame.reformat(format=pretended.pixel_format)
            other.pts, other.time_base = frame.pts, frame.time_base
            if number == pretended.wrong:
                np.frombuffer(memoryview(other.planes[0]), np.uint8)[5] ^= 1
            yield other

    monkeypatch.setattr(VideoFile, "_decode", frames)
    monkeypatch.setattr(nvdec, "why_unavailable", lambda: None)
    monkeypatch.setattr(nvdec, "hwaccel", lambda: None)
    monkeypatch.setattr(nvdec, "_failures", [])
    monkeypatch.setattr(decoder_choice, "_verdicts", {})
    decoder_choice._log_once.cache_clear()
    return pretended


def h264(path: Path, frames: int = 24) -> Path:
    return encode(path, "libx264", X264, frames=frames)


def values(path: Path, decoding: Decoding) -> list[np.ndarray]:
    with Video(path, decoding=decoding) as video:
        return [frame.values for frame in video]


def chosen(path: Path, decoding: Decoding = CUDA, *, is_strict: bool = False) -> str:
    return with_decoder(path, LIMITS, decoding, is_strict=is_strict).decoder


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("v.mp4", "libx264", X264), ("v.mp4", "libx265", HEVC), ("v.webm", "libvpx-vp9", VP9)],
)
def test_a_gpu_gives_the_planes_of_the_cpu_forward_and_backward(
    name: str, codec: str, options: dict[str, str], gpu: Pretended, tmp_path: Path
) -> None:
    path = encode(tmp_path / name, codec, options)
    decoding = with_decoder(path, LIMITS, CUDA, is_strict=False)
    assert decoding == CUDA
    forward = values(path, decoding)
    assert all(map(np.array_equal, forward, values(path, CPU)))
    reader = ReversedVideo(path, last=30, decoding=decoding, buffer_bytes=7 * forward[0].nbytes)
    assert len(list(reader.scan())) == 31
    assert all(map(np.array_equal, [frame.values for frame in reader], forward[30::-1]))
    assert set(gpu.decoded) == {name}


def test_a_window_has_the_same_numbers_and_times(gpu: Pretended, tmp_path: Path) -> None:
    path = h264(tmp_path / "v.mp4")
    found = []
    for decoding in (CPU, CUDA):
        with Video(path, start=5, end=9, decoding=decoding) as video:
            found.append([(frame.index, frame.pts_seconds) for frame in video])
            assert (video.frames_expected, video.frames_decoded, video.frames_corrupt) == (4, 4, 0)
            assert video.notes == ([video_file.NOTE_OF_GPU] if decoding == CUDA else [])
    assert found[0] == found[1]
    assert gpu.decoded == ["v.mp4"]


def test_each_kind_of_file_is_tried_once(gpu: Pretended, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        assert chosen(h264(tmp_path / name)) == "cuda"
    assert gpu.decoded == ["a.mp4"]


def test_a_damaged_first_file_does_not_decide_for_all_files_of_its_kind(
    gpu: Pretended, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Decoders conceal damage in different ways, so its pixels prove nothing."""
    damaged = h264(tmp_path / "damaged.mp4")
    content = bytearray(damaged.read_bytes())
    start = content.index(b"mdat") + 1_200  # within the first picture, past what x264 notes of itself
    content[start : start + 300] = bytes(300)
    damaged.write_bytes(content)
    with closing(VideoFile(damaged, LIMITS, all_frames=False, decoding=CPU)) as file:
        assert any(frame.is_corrupt for _, frame in islice(file.decode(None), decoder_choice.TRIED_FRAMES))
    gpu.wrong = 3
    assert chosen(damaged) == "cpu"
    assert "the first frames of damaged.mp4 are damaged" in caplog.text
    gpu.wrong = None
    assert chosen(h264(tmp_path / "whole.mp4")) == "cuda"


@pytest.mark.parametrize("wrong", [0, 7])
def test_a_gpu_that_gives_other_pixels_is_not_used(wrong: int, gpu: Pretended, tmp_path: Path) -> None:
    gpu.wrong = wrong
    assert chosen(h264(tmp_path / "v.mp4")) == "cpu"


def test_reasons_for_the_cpu_are_logged_once_each(
    gpu: Pretended, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = {
        "mpeg4 is not decoded on a GPU; codecs that are: h264, hevc": encode(tmp_path / "mpeg4.mp4", "mpeg4", {}),
        "yuv420p10le of 64x48 is not decoded": encode(tmp_path / "ten.mp4", "libx264", X264, pixels="yuv420p10le"),
    }
    with caplog.at_level(logging.WARNING, "jobs"):
        for path in [*files.values(), *files.values()]:
            assert chosen(path) == "cpu"
    assert len(caplog.messages) == 2
    for reason, message in zip(files, caplog.messages, strict=True):
        assert f"video files are decoded on the CPU: {reason}" in message
    assert gpu.decoded == []


def test_strict_runs_and_frames_that_the_card_leaves_to_ffmpeg_are_decoded_on_the_cpu(
    gpu: Pretended, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = h264(tmp_path / "v.mp4")
    assert chosen(path, is_strict=True) == "cpu"
    assert "--strict counts damage within pictures, which a GPU's decoder hides" in caplog.text
    gpu.pixel_format = "yuv420p"  # FFmpeg fell back to its own decoder
    assert chosen(path) == "cpu"
    assert "the card does not decode this kind of file (v.mp4)" in caplog.text


@pytest.mark.parametrize(("cores", "expected"), [(1, "cuda"), (16, "cpu")])
@pytest.mark.parametrize("files", [1, 8])
def test_auto_leaves_to_the_cpu_what_the_actors_cores_decode_fast_enough_together(
    cores: int, files: int, expected: str, gpu: Pretended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    monkeypatch.setattr(decoder_choice, "PIXELS_PER_CORE_SECOND", 300.0 * 64 * 48)  # 300 frames of this file
    path = h264(tmp_path / "v.mp4")
    decoding = replace(decoding_for(torch.device("cuda"), files=files), allocate=CPU.allocate)
    assert decoding.decoder == "auto"
    assert chosen(path, decoding) == expected
    assert chosen(path, replace(decoding, decoder="cuda")) == "cuda"


def test_a_decoder_that_fails_in_a_file_is_charged_to_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is no VideoError is tried again, and by then the process decodes on the CPU."""
    monkeypatch.setattr(nvdec, "_failures", [])
    monkeypatch.setattr(nvdec, "hwaccel", lambda: None)
    path = h264(tmp_path / "v.mp4")
    for decoding, error, message in (
        (CPU, VideoError, "cannot be decoded: .*out of sessions"),
        (CUDA, RuntimeError, "the GPU's decoder failed, and the CPU's takes over: .*out of sessions"),
    ):
        file = VideoFile(path, LIMITS, all_frames=True, decoding=decoding)
        container = file._container
        file._container = SimpleNamespace(format=container.format, demux=lambda _: iter([Failing()]))  # type: ignore[assignment]
        with closing(container), pytest.raises(error, match=message):
            list(file.decode(None))
    assert nvdec.why_unavailable() == "the GPU's decoder failed: [Errno 12] out of sessions"
    assert chosen(path) == "cpu"


@pytest.mark.skipif(real_gpu, reason="this machine has a GPU that decodes")
def test_a_decoder_that_cannot_be_opened_gives_way_to_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(nvdec, "_failures", [])
    decoder_choice._log_once.cache_clear()
    path = h264(tmp_path / "v.mp4")
    assert all(map(np.array_equal, values(path, CUDA), values(path, CPU)))
    assert chosen(path) == "cpu"
    assert "the GPU's decoder could not be opened for v.mp4: cannot be opened as a video" in caplog.text


@pytest.mark.skipif(real_gpu, reason="this machine has a GPU that decodes")
def test_a_decoder_that_is_not_there_is_refused_with_the_reason() -> None:
    for device in ("cpu", "cuda"):
        with pytest.raises(ValueError, match="--decoder cuda is not usable: .+; legal here: auto, cpu"):
            decoding_for(torch.device(device), "cuda")
    assert decoding_for(torch.device("cpu"), "auto").decoder == "cpu"


@pytest.mark.parametrize(
    ("option", "value", "named"), [("device", "cpu", "--device cpu"), ("strict", True, "--strict")]
)
def test_options_that_contradict_a_gpus_decoder_are_refused(option: str, value: object, named: str) -> None:
    with pytest.raises(UserError, match=f"--decoder cuda is not usable with {named}; legal: auto, cpu"):
        SegmentConfig(manifest="m.csv", output="out", decoder="cuda", **{option: value})  # type: ignore[arg-type]


def test_files_at_once_share_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 40)
    assert [decoding_for(torch.device("cpu"), files=files).threads for files in (1, 8, 64)] == [16, 5, 1]
    of_gpu = decoding_for(torch.device("cuda"), files=8)
    assert (of_gpu.as_planes, of_gpu.threads, of_gpu.cores, of_gpu.decoder) == (True, 5, 40, "auto")


@pytest.mark.skipif(not real_gpu, reason=f"needs a GPU that decodes: {nvdec.why_unavailable()}")
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("v.mp4", "libx264", X264), ("v.mp4", "libx265", HEVC), ("v.webm", "libvpx-vp9", VP9)],
)
def test_a_real_gpu_agrees_with_the_cpu_on_the_pixels(
    name: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    path = encode(tmp_path / name, codec, options, size=(480, 640))
    with closing(VideoFile(path, LIMITS, all_frames=True, decoding=CUDA)) as file:
        names = {frame.format.name for _, frame in file.decode(None)}
    assert names == {"nv12"}
    equal = [np.mean(one == other) for one, other in zip(values(path, CUDA), values(path, CPU), strict=True)]
    assert np.mean(equal) >= 0.995
