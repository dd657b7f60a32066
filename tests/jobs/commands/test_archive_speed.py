"""The archive case runs `stcn segment` on real files, and compares it with the same clips in memory."""

import csv
import json
from pathlib import Path

import pytest
import torch

from jobs.commands import archive_speed as module
from jobs.commands.archive_speed import write_clip
from jobs.inputs.videos.video import Video
from stcn_core.benchmark import throughput
from stcn_core.propagation.propagate import propagate
from tests.core.tiny import tiny_model
from tests.preloaded.process import Process


@pytest.mark.usefixtures("ray_cluster")
def test_archive_speed_counts_the_frames_of_a_run_and_of_its_network() -> None:
    """In a process of its own, as Ray allows a process one cluster."""
    program = (
        "import json, torch\n"
        "from jobs.commands import archive_speed\n"
        "from stcn_core.benchmark.cases import Settings\n"
        "from tests.core.tiny import tiny_model\n"
        "archive_speed.FRAMES, archive_speed.ROUNDS = 40, 2\n"
        "settings = Settings(torch.device('cpu'), repeats=1)\n"
        "print(json.dumps(archive_speed.archive_speed(settings, tiny_model(), 48, width=64)))\n"
    )
    with Process("-c", program) as process:
        assert process.wait(300) == 0, process.errors()
    figures = json.loads(process.output().splitlines()[-1])
    assert set(figures) == {"frames_per_second", "network_frames_per_second", "share_of_network"}
    assert figures["share_of_network"] == figures["frames_per_second"] / figures["network_frames_per_second"]
    assert 0 < figures["share_of_network"] < 3


def test_manifest_names_one_file_as_many_videos(tmp_path: Path) -> None:
    prompt = write_clip(tmp_path, 3, 48, width=64)
    rows = list(csv.DictReader(module._manifest(tmp_path, 4).open()))
    assert len({row["video_id"] for row in rows}) == 4
    assert {(tmp_path / row["video"]).resolve() for row in rows} == {(tmp_path / "video.mp4").resolve()}
    with Video(tmp_path / "video.mp4") as video:
        assert [frame.image.shape for frame in video] == [(48, 64, 3)] * 3
    assert prompt.shape == (48, 64)


def test_network_alone_sees_frames_scaled_down_and_makes_masks_at_full_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = write_clip(tmp_path, 4, 96, width=128)
    seen: list[tuple[tuple[int, ...], tuple[int, int] | None]] = []

    def noted(model: object, frames: list[torch.Tensor], *rest: object, **options: object) -> object:
        seen.append((tuple(frames[0].shape), options["size"]))  # type: ignore[arg-type]
        return propagate(model, frames, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(throughput, "propagate", noted)
    rate = module._network_alone(tiny_model(), tmp_path, prompt, clips=2, short_side=48)
    assert seen == [((3, 48, 64), (96, 128))] * 2
    assert rate > 0
