"""The benchmark: the reference matches the product, budgets can fail, and every case runs."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from stcn_core import PropagationConfig, for_inference, load_model, propagate
from stcn_core.benchmark import cases, comparison, convolutions, online
from stcn_core.benchmark.__main__ import main
from stcn_core.benchmark.budget import budget, budgeted_kinds
from stcn_core.benchmark.cases import CASES, Settings
from stcn_core.benchmark.inputs import clip
from stcn_core.benchmark.measure import extra_memory, in_turn, median_ratio, peak_memory, stage_seconds
from stcn_core.benchmark.operations import operations_per_frame
from stcn_core.benchmark.published_loop import propagate_frame_by_frame
from stcn_core.config import ModelConfig
from stcn_core.memory.top_k import read_top_k
from stcn_core.models.network import Query
from stcn_core.propagation.stages import STAGES
from tests.core.tiny import tiny_model
from tests.lengths import short_and_long

CPU = torch.device("cpu")
CONFIG = PropagationConfig(short_side=None)


def test_published_loop_matches_product() -> None:
    frames, prompt = clip(13, 50, 70, objects=2)
    model, config = tiny_model("stcn", torch.float64), PropagationConfig(short_side=None)
    reference = list(propagate_frame_by_frame(model, frames, prompt, config=config))
    for (labels, planes), result in zip(
        reference, propagate(model, frames, {0: prompt}, config=config, return_probabilities=True), strict=True
    ):
        if result.frame_index:
            assert result.probabilities is not None
            assert np.abs(planes.numpy() - result.probabilities).max() < 1e-6
            assert np.array_equal(labels, result.labels)


def test_published_loop_under_autocast_computes_in_bfloat16_on_every_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Autocast that covered the first frame alone computed the later ones in float32, or failed."""
    frames, prompt = clip(7, 48, 64, objects=2)
    model = tiny_model()
    decoded: list[torch.dtype] = []
    segment = model.segment

    def noted(readout: torch.Tensor, query: Query) -> torch.Tensor:
        decoded.append(query.f4.dtype)
        return segment(readout, query)

    monkeypatch.setattr(model, "segment", noted)
    planes = [planes for _, planes in propagate_frame_by_frame(model, frames, prompt, config=CONFIG, autocast=True)]
    assert decoded == [torch.bfloat16] * 6
    assert not torch.is_autocast_enabled("cpu")
    exact = [planes for _, planes in propagate_frame_by_frame(model, frames, prompt, config=CONFIG)]
    differences = [(a - b).abs().max().item() for a, b in zip(planes, exact, strict=True)]
    assert 0 < max(differences) < 0.1


def test_clip_has_its_objects_and_no_two_equal_frames() -> None:
    frames, prompt = clip(20, 48, 64, objects=5)
    assert set(np.unique(prompt)) == set(range(6))
    assert len({frame.tobytes() for frame in frames}) == 20


@pytest.mark.heavy
def test_operation_counts_match_the_design() -> None:
    """480x864: key encoder 27, f16 compression 8, decoder 100 and value encoder at least 15 GMAC every 5th frame."""
    one = operations_per_frame(ModelConfig(), 480, 864, objects=1, config=PropagationConfig()) / 2e9
    assert 27 + 8 + 100 + 15 / 5 < one < 150
    five = operations_per_frame(ModelConfig(), 480, 864, objects=5, config=PropagationConfig()) / 2e9
    assert five < one + 4 * (70 + 15)  # skips are shared


def test_runs_are_timed_in_turn() -> None:
    order: list[str] = []
    seconds = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3, CPU)
    assert order == ["a", "b"] * 3
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}
    assert median_ratio([2.0, 9.0, 6.0], [1.0, 3.0, 3.0]) == 2


def test_peak_and_extra_memory_cover_an_allocation() -> None:
    size = 64 * 2**20
    assert size * 0.9 < extra_memory(lambda: torch.ones(size // 4), CPU) < size * 1.5
    assert peak_memory(lambda: torch.ones(size // 4), CPU) > size


def test_every_stage_is_timed() -> None:
    frames, prompt = clip(12, 48, 64, objects=1)
    run = comparison.propagation(tiny_model(), frames, prompt, config=PropagationConfig())
    stages = stage_seconds(run, CPU, STAGES)
    assert set(stages) == set(STAGES)
    assert min(stages.values()) > 0


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten cases from minutes to seconds, by a tiny network and small frames."""
    monkeypatch.setattr(comparison, "seeded_stcn", lambda device: tiny_model())
    monkeypatch.setattr(cases, "seeded_stcn", lambda device: tiny_model())
    # Processors with matrix units take bfloat16, which `test_bfloat16_masks_match_float32` compares.
    monkeypatch.setattr(comparison, "fastest_precision", lambda device: torch.float32)
    monkeypatch.setattr(comparison, "HEIGHT", 48)
    monkeypatch.setattr(comparison, "WIDTH", 86)
    monkeypatch.setattr(comparison, "PADDED_WIDTH", 96)


@pytest.mark.heavy
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["one-object", "one-object-float32", "five-objects"])
def test_comparisons_return_every_budgeted_figure(name: str) -> None:
    figures = CASES[name](Settings(CPU, repeats=1))
    demands = budget(budgeted_kinds())
    demanded = {key.split(".", 1)[1] for key in demands if key.startswith(f"{name}.")}
    assert demanded <= set(figures)
    assert figures["probabilities_within_1e-3"] == 1
    assert figures["ratio_to_autocast"] == pytest.approx(
        figures["frames_per_second"] / figures["autocast_frames_per_second"], rel=0.5
    )
    assert figures["ratio"] == pytest.approx(
        figures["frames_per_second"] / figures["published_frames_per_second"], rel=0.5
    )
    assert sum(
        value for key, value in figures.items() if key.startswith("share_") and "ceiling" not in key
    ) == pytest.approx(1)


def test_session_is_timed_with_arrays_and_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HEIGHT": 48, "WIDTH": 64, "FRAMES": 6}.items():
        monkeypatch.setattr(online, name, value)
    figures = CASES["session"](Settings(CPU, repeats=1))
    assert {f"session.{name}" for name in figures} == {name for name in budget(["cpu"]) if name.startswith("session.")}
    assert all(0.1 < ratio < 10 for ratio in figures.values())


def test_convolutions_are_compared_and_layers_whose_form_is_not_the_fastest_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = {"None": [1.0], "4": [0.5], "6": [2.0]}
    monkeypatch.setattr(convolutions, "LAYERS", ((64, 64, 120), (96, 96, 120)))
    monkeypatch.setattr(convolutions, "fastest_precision", lambda device: torch.float32)
    monkeypatch.setattr(
        convolutions, "in_turn", lambda runs, repeats, device: [run() for run in runs.values()] and slow
    )
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    figures = CASES["convolutions"](Settings(CPU, repeats=1))
    name = "float32_64_to_64_at_120"  # direct by the table, and 96 channels by tile 4
    assert (figures[f"{name}_tile_4"], figures[f"{name}_tile_6"], figures[f"{name}_behind"]) == (2, 0.5, 2)
    assert "float32_96_to_96_at_120_behind" not in figures
    assert figures["layers_behind"] == 1


def test_read_of_a_full_memory_takes_little_extra_memory() -> None:
    """The whole affinity of 50 memory frames of 480p, and one such frame, would take 525 MB."""
    positions = 30 * 54
    keys, query = torch.randn(1, 64, 50 * positions), torch.randn(64, positions)
    values = torch.randn(1, 50 * positions, 512)
    assert extra_memory(lambda: read_top_k(keys, values, query, similarity_name="l2", k=20), CPU) < 256e6


@pytest.mark.heavy
@pytest.mark.usefixtures("small")
@short_and_long("case", short=["one-object"], long=["memory-read"])
def test_command_prints_the_figures_of_a_case(
    case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--repeats", "1", "--json", "--device", "cpu", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["benchmark", case, *options])
    assert main() == 0
    figures = json.loads(capsys.readouterr().out)["cases"][case]
    assert {key.split(".", 1)[1] for key in budget(["cpu"]) if key.startswith(f"{case}.")} <= set(figures)
    if case == "memory-read":
        assert figures["extra_megabytes"] < 256


@pytest.mark.heavy
def test_command_refuses_an_unknown_case() -> None:
    command = [sys.executable, "-m", "stcn_core.benchmark"]
    wrong = subprocess.run([*command, "memory"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "no such case: memory; there are: one-object" in wrong.stderr


@pytest.mark.parametrize("option", ["--threads", "--repeats"])
def test_numbers_that_time_nothing_are_refused_in_words(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", "one-object", "--device", "cpu", option, "0"])
    with pytest.raises(SystemExit):
        main()
    assert f"{option} 0 is not usable; legal: 1 or more" in capsys.readouterr().err


def test_bfloat16_masks_match_float32() -> None:
    model, (frames, prompt) = load_model("stcn-mini"), clip(6, 96, 128, objects=1)

    def labels(precision: torch.dtype) -> np.ndarray:
        results = propagate(for_inference(model, precision), frames, {0: prompt}, config=PropagationConfig())
        return np.stack([result.labels for result in results])

    assert (labels(torch.float32) == labels(torch.bfloat16)).mean() > 0.99
