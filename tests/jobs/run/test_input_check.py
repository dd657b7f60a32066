"""`stcn plan --check` finds what would fail, of videos that it does not download."""

import csv
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.costs.sampling import sampled
from jobs.errors import UserError
from jobs.io import storage
from jobs.io.outline import outline
from jobs.io.storage_policy import StoragePolicy, storage_policy
from jobs.planning import job
from jobs.planning.config import SegmentConfig
from jobs.planning.job import prepare_job
from jobs.run.input_check import find_failures
from tests.parts import stcn
from tests.preloaded.process import Process

MASK = np.pad(np.full((20, 20), 1, np.uint8), ((10, 18), (10, 34)))  # 48 rows, 64 columns, as video "a" has


def png(path: Path, labels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)
    return path


@pytest.fixture
def manifest(archive: Path, tmp_path: Path) -> Path:
    """A sound video, one whose mask has another size, one with a mask after its end, a broken and a missing one."""
    png(tmp_path / "late/00000.png", MASK)
    png(tmp_path / "late/00009.png", MASK)
    rows = [
        ("sound", archive / "videos/a.mp4", png(tmp_path / "first.png", MASK)),
        ("size", archive / "videos/a.mp4", png(tmp_path / "large.png", np.kron(MASK, np.ones((2, 2), np.uint8)))),
        ("late", archive / "videos/a.mp4", tmp_path / "late"),
        ("broken", archive / "videos/d.mp4", tmp_path / "first.png"),
        ("missing", tmp_path / "none.mp4", tmp_path / "first.png"),
    ]
    with (tmp_path / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("video_id", "video", "prompts"), *rows])
    return tmp_path / "m.csv"


def test_what_would_fail_is_listed_with_its_reason(manifest: Path, model_file: Path) -> None:
    plan = stcn("plan", manifest, manifest.parent / "out", "--model", model_file, "--check")
    assert plan.returncode == 3, plan.stderr
    assert "checked 5 videos: 4 would fail" in plan.stdout
    for line in (
        "size: PromptError: a mask is 128x96, its frame 64x48; masks must have the frame's size",
        "late: PromptError: a mask is of frame 9 (00009.png), and the video has 9 frames, 0 to 8",
        "broken: VideoError: cannot be opened as a video",
        "missing: VideoError:",
    ):
        assert f"  {line}" in plan.stdout
    sample = stcn("plan", manifest, manifest.parent / "out", "--model", model_file, "--check-sample", "2")
    assert "checked 2 videos of the 5 to do" in sample.stdout


def test_sample_is_the_same_each_time(manifest: Path, model_file: Path) -> None:
    config = SegmentConfig(manifest=str(manifest), output=str(manifest.parent / "out"), model=str(model_file))
    items = prepare_job(config).items
    assert sampled(items, 3) == sampled(items, 3)
    assert any(sampled(items, 3) != sampled(items, 3, seed) for seed in (1, 2, 3))
    assert len(sampled(items, 3)) == 3
    assert sampled(items, None) == sampled(items, 9) == items
    assert [row.video_id for row in find_failures(items)] == ["size", "late", "broken", "missing"]


def test_a_remote_video_is_checked_by_its_beginning_and_end(
    archive: Path, bucket: str, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = (archive / "videos/a.mp4").read_bytes()
    index = video.find(b"moov")
    monkeypatch.setattr("jobs.io.outline.BEGINNING", 2_000)
    monkeypatch.setattr("jobs.io.outline.END", len(video) - index + 2_000)
    samples = video.find(b"mdat") - 4  # a box that another 100 kB lie in, before the index
    size = int.from_bytes(video[samples : samples + 4], "big") + 100_000
    padded = video[:samples] + size.to_bytes(4, "big") + video[samples + 4 : index - 4] + b"x" * 100_000
    padded += video[index - 4 :]
    storage.write(f"{bucket}/a.mp4", padded)
    storage.write(f"{bucket}/a.png", png(tmp_path / "a.png", MASK).read_bytes())
    storage.write(f"{bucket}/m.csv", b"video_id,video,prompts\na,a.mp4,a.png\nb,b.mp4,a.png\n")
    reads: list[int] = []
    read_range = storage.read_range

    def counted(location: str, start: int, stop: int) -> bytes:
        reads.append(stop - start)
        return read_range(location, start, stop)

    monkeypatch.setattr(storage, "read_range", counted)
    config = SegmentConfig(manifest=f"{bucket}/m.csv", output=str(tmp_path / "out"), model=str(model_file))
    failures = {row.video_id: row.error_message for row in find_failures(prepare_job(config).items)}
    assert list(failures) == ["b"], failures
    assert sum(reads) < len(video) + 10_000
    monkeypatch.setattr("jobs.io.outline.END", 100)  # the index lies in the hole: the whole file is read
    assert [row.video_id for row in find_failures(prepare_job(config).items)] == ["b"]
    monkeypatch.setattr("jobs.io.outline.END", 2_000)
    copy = outline(f"{bucket}/a.mp4", tmp_path / "copy").read_bytes()
    assert (len(copy), copy[-2_000:]) == (len(padded), padded[-2_000:])


def test_an_unreachable_store_is_told_and_an_interrupt_ends_the_wait(tmp_path: Path) -> None:
    environment = os.environ | {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
    }  # fmt: skip
    with Process("-m", "jobs", "plan", "s3://bucket/m.csv", tmp_path / "out", env=environment) as process:
        while "storage does not answer: s3://bucket/m.csv" not in process.errors():
            assert process.poll() is None, process.errors()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert "tried again until " in process.errors()
        assert "Traceback" not in process.errors()


def test_a_model_url_that_leads_nowhere_is_an_error_soon(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(job, "QUICK_SECONDS", 0.1)
    config = SegmentConfig(manifest=str(manifest), output=str(tmp_path / "out"), model="http://127.0.0.1:1/x")
    with storage_policy(StoragePolicy(60.0)), pytest.raises((OSError, UserError), match=r"tried again for 0\.1 s"):
        prepare_job(config)
