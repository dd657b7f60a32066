"""`stcn plan --sample` segments videos of the plan, keeps nothing, and projects what all of them take."""

from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.commands.sample import project_sample
from jobs.costs.sample_run import SampledVideo
from jobs.errors import UserError
from jobs.planning.config import SegmentConfig
from jobs.planning.job import Job, prepare_job
from tests.parts import VIDEOS, stcn

FRAMES = {video.video_id: video.frames for video in VIDEOS if not video.broken}


def job_of(archive: Path, model_file: Path, output: Path, **options: Any) -> Job:
    manifest = str(archive / "manifest.csv")
    return prepare_job(SegmentConfig(manifest=manifest, output=str(output), model=str(model_file), **options))


def sample(job: Job, count: int, seed: int = 0) -> tuple[list[str], list[SampledVideo]]:
    told: list[str] = []
    failed = project_sample(job, job.todo(), count, seed=seed, tell=told.append)
    return "\n".join(told).splitlines(), failed


def test_sample_of_all_videos_measures_all(archive: Path, model_file: Path, tmp_path: Path) -> None:
    told, failed = sample(job_of(archive, model_file, tmp_path / "out", price_per_hour=3600.0), 9)
    threads = f"{torch.get_num_threads()} thread"
    assert told[0].startswith(f"sample of 5 videos (--seed 0), segmented here on the CPU with {threads}")
    for line, video in zip(told[1:6], VIDEOS, strict=True):
        wanted = "VideoError: cannot be opened" if video.broken else f"{video.frames} frames in "
        assert line.startswith(f"  {video.video_id}: {wanted}")
    assert told[6] == "projected from 5 of 5 videos:"
    assert f"  {sum(FRAMES.values())} frames to decode" in told
    assert not any(" to " in line.replace(" to read", "").replace(" to decode", "") for line in told[7:])
    assert any(line.endswith(" at 3,600.00 an hour of an actor") for line in told)
    assert [each.row.video_id for each in failed] == ["d"]
    assert not (tmp_path / "out").exists()


def test_masks_are_measured_as_a_run_writes_them(
    ray_cluster: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    """To what describes a file and its row group, of this many bytes or fewer."""
    options = ("--model", model_file, "--threads-per-actor", "1", "--frames-per-shard", "1")
    run = stcn("segment", archive / "manifest.csv", tmp_path / "out", *options)
    assert run.returncode == 3, run.stderr
    files = [path.stat().st_size for path in (tmp_path / "out/masks").iterdir()]
    told, _ = sample(job_of(archive, model_file, tmp_path / "other"), 9)
    (line,) = (line for line in told if line.endswith(" of masks") and line.startswith("  ") and ":" not in line)
    number, unit = line.split()[:2]
    assert unit == "kB"
    assert sum(files) - 8_000 * len(files) < float(number) * 1000 < sum(files)


def test_part_of_the_videos_tells_a_range_and_a_seed_chooses_them(
    archive: Path, model_file: Path, tmp_path: Path
) -> None:
    job = job_of(archive, model_file, tmp_path / "out")
    told, _ = sample(job, 3)
    assert told[4].startswith("projected from 3 of 5 videos, with ranges that hold the true figure")
    (line,) = (line for line in told if line.endswith(" frames to decode"))
    value, low, high = (int(word.strip("()")) for word in line.split() if word.strip("()").isdigit())
    assert low <= value <= high
    assert low < high

    def chosen(seed: int) -> list[str]:
        return [line.split(":")[0].strip() for line in sample(job, 3, seed)[0][1:4]]

    assert chosen(0) == chosen(0)
    assert len({tuple(chosen(seed)) for seed in range(4)}) > 1


def test_sample_of_failures_alone_projects_nothing(archive: Path, model_file: Path, tmp_path: Path) -> None:
    told, failed = sample(job_of(archive, model_file, tmp_path / "out", only=["d"]), 2)
    assert told[-1] == "none of the 1 sampled video could be segmented, so nothing can be projected"
    assert len(failed) == 1


def test_videos_that_are_not_there_are_not_drawn(archive: Path, model_file: Path, tmp_path: Path) -> None:
    lines = [f"{name},{archive}/videos/{name}.mp4,{archive}/prompts/a" for name in ("a", "none", "gone")]
    (tmp_path / "manifest.csv").write_text("\n".join(["video_id,video,prompts", *lines]))
    told, failed = sample(job_of(tmp_path, model_file, tmp_path / "out"), 3)
    assert (told[0].split(" (")[0], failed) == ("sample of 1 video", [])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_gpu_that_is_not_there_is_told(archive: Path, model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--device cuda: PyTorch finds no GPU here"):
        sample(job_of(archive, model_file, tmp_path / "out", device="cuda"), 2)


def test_command_exits_as_a_run_would(archive: Path, model_file: Path, tmp_path: Path) -> None:
    command = ("plan", archive / "manifest.csv", tmp_path / "out", "--model", model_file, "--sample")
    whole = stcn(*command, "5", "--threads-per-actor", "1")
    assert whole.returncode == 3, whole.stderr
    assert "segmented here on the CPU with 1 thread:" in whole.stdout
    assert "expected:" not in whole.stdout
    sound = stcn(*command, "2", "--only", "a", "--only", "b", "--check")
    assert sound.returncode == 0, sound.stderr
    assert "checked 2 videos: 0 would fail" in sound.stdout
    assert "projected from 2 of 2 videos:" in sound.stdout
    refused = stcn(*command, "2", "--frames-per-second", "9")
    assert refused.returncode == 2
    assert "--sample with --frames-per-second is not usable" in refused.stderr
    assert stcn(*command, "1").returncode == 2
    assert not (tmp_path / "out").exists()
