"""`stcn bench` times whole videos and actors, and its exit code reports missed budgets."""

import json
from collections.abc import Callable

import pytest
import torch

from jobs.cli import __main__ as cli
from jobs.commands import bench
from stcn_core.benchmark.cases import Settings
from tests.core.tiny import tiny_model
from tests.preloaded.process import Process

CPU = Settings(torch.device("cpu"), repeats=1)


def test_whole_video_figures_compare_it_with_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are run, but the test supplies their durations, since no machine is steady enough."""

    def in_turn(runs: dict[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, list[float]]:
        for run in runs.values():
            run()
        return {"network": [3.0, 2.0, 2.0], "whole": [6.0, 2.5, 4.0]}

    monkeypatch.setattr(bench, "in_turn", in_turn)
    assert bench._whole_video(CPU, tiny_model(), 48, width=64, frames=12) == {
        "frames_per_second": 3.0, "network_frames_per_second": 6.0, "share_of_network": 0.5, "overhead": 1.0,
    }  # fmt: skip


@pytest.mark.usefixtures("ray_cluster")
def test_actor_speed_excludes_start_up() -> None:
    """In a process of its own, as Ray allows a process one cluster."""
    program = (
        "import json\n"
        "from jobs.commands import bench\n"
        "from jobs.commands.archive import DrawnVideo\n"
        "size = {'frames': 40, 'height': 48, 'width': 64, 'rate': bench.RATE}\n"
        "videos = [DrawnVideo(video_id=f'v{n}', seed=n, objects=1, **size) for n in range(2)]\n"
        "bench._videos = lambda count: videos\n"
        "print(json.dumps(bench._scaling(1)))\n"
    )
    with Process("-c", program) as process:
        assert process.wait(300) == 0, process.errors()
    figures = json.loads(process.output().splitlines()[-1])
    assert set(figures) == {"frames_per_second_1"}
    assert figures["frames_per_second_1"] > 1


@pytest.mark.parametrize(("value", "check", "code"), [(1.0, True, 0), (0.5, True, 1), (0.5, False, 0)])
def test_missed_budget_sets_the_exit_code(
    value: float, check: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case = {"reduced-precision": lambda settings: {"labels_equal": value, "mean_iou": 1.0}}
    monkeypatch.setattr(bench, "CASES", case)
    with pytest.raises(SystemExit) as end:
        cli.main(["bench", "reduced-precision", "--json", *(["--check"] if check else [])])
    output = capsys.readouterr()
    assert end.value.code == code
    assert json.loads(output.out)["cases"]["reduced-precision"]["labels_equal"] == value
    assert ("behind: reduced-precision.labels_equal is 0.5; budget: >= 0.995" in output.err) == (value < 1)


def test_speed_of_whole_videos_is_printed_as_an_option_of_plan(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end_to_end(settings: Settings) -> dict[str, float]:
        """MP4 to Parquet: a network, 240p."""
        return {"frames_per_second": 12.345}

    def other(settings: Settings) -> dict[str, float]:
        """A ratio."""
        return {"ratio": 1.0}

    monkeypatch.setattr(bench, "end_to_end", end_to_end)
    monkeypatch.setattr(bench, "CASES", {"other": other})
    told = []
    for options in (["end-to-end"], ["end-to-end", "--json"], ["other"]):
        with pytest.raises(SystemExit):
            cli.main(["bench", *options])
        told.append(capsys.readouterr().out)
    line = "  stcn plan MANIFEST OUTPUT --frames-per-second 12.3    (a network, 240p)\n"
    assert told[0].endswith(f"to expect this speed of each actor:\n{line}")
    assert json.loads(told[1])["cases"]["end-to-end"]["frames_per_second"] == 12.345
    assert "stcn plan" not in told[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["everything"], "no such case: everything; there are: one-object"),
        (["--device", "tpu"], "--device tpu is not usable; legal: auto, cpu, cuda"),
        (["--repeats", "0"], "--repeats 0 is not usable; legal: 1 or more"),
        (["--actors", "0"], "--actors 0 is not usable; legal: 1 or more"),
    ],
)
def test_illegal_arguments_exit_with_the_usage_code(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["bench", *options])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
