"""The table of throughputs: which frames count, how many clips are under way, and what is counted on a GPU."""

import threading
from collections.abc import Sequence

import pytest
import torch

from stcn_core.benchmark import throughput as module
from stcn_core.benchmark.budget import budget
from stcn_core.benchmark.launches import LAUNCHES, WAITS, counted
from stcn_core.benchmark.throughput import LOADS, Load, frames_per_second, throughput
from stcn_core.memory.bank import MemoryBank
from stcn_core.models.network import Network, Query
from tests.core.tiny import tiny_model

CPU = torch.device("cpu")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the table from an hour to seconds, by a tiny network, small frames and few of them."""
    monkeypatch.setattr(module, "seeded_stcn", lambda device: tiny_model())
    monkeypatch.setattr(module, "fastest_precision", lambda device: torch.float32)
    for name, value in {
        "HEIGHT": 48,
        "WIDTH": 86,
        "PADDED_WIDTH": 96,
        "DIFFERENT_FRAMES": 4,
        "TIMED_FRAMES": 8,
    }.items():
        monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("small")
def test_each_load_has_a_rate_and_a_share_of_the_ceiling() -> None:
    loads = [Load(objects=2, memory_frames=2, clips=clips) for clips in (1, 2)]
    figures = throughput(CPU, loads)
    assert set(figures) == {"ceiling_gigaflops"} | {
        f"objects_2_memory_2_clips_{clips}_{figure}"
        for clips in (1, 2)
        for figure in ("frames_per_second", "share_of_ceiling")
    }
    assert all(value > 0 for value in figures.values())


@pytest.mark.usefixtures("small")
def test_each_load_is_timed_compiled_too_where_a_compiler_is(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tiny_model()
    timed: list[Network] = []

    def noted(network: Network, load: Load) -> float:
        timed.append(network)
        return 2.0 if network is made else 1.0

    monkeypatch.setattr(module, "missing_for", lambda device: None)
    monkeypatch.setattr(module, "compiled", lambda network: made)
    monkeypatch.setattr(module, "frames_per_second", noted)
    figures = throughput(CPU, [Load(objects=1, memory_frames=8, clips=1)])
    assert len(timed) == 2
    assert figures["objects_1_memory_8_clips_1_frames_per_second"] == 1
    assert figures["objects_1_memory_8_clips_1_compiled_frames_per_second"] == 2
    assert figures["compiling_seconds"] >= 0


@pytest.mark.usefixtures("small")
def test_timed_frames_read_a_full_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate counts from the first frame after the memory holds all of its frames."""
    held: list[int] = []
    read = MemoryBank.read

    def noted(bank: MemoryBank, key: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
        held.extend([bank._held] * len(key))
        return read(bank, key, frames)

    monkeypatch.setattr(MemoryBank, "read", noted)
    load = Load(objects=1, memory_frames=3, clips=1)
    frames_per_second(tiny_model(), load)
    timed = held[load.filling_frames - 1 :]
    assert len(timed) == module.TIMED_FRAMES
    assert set(timed) == {3}
    assert held[0] == 1


@pytest.mark.usefixtures("small")
def test_clips_of_a_load_are_under_way_at_once_and_share_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    batches: list[int] = []
    encode = model.encode_query

    def noted(images: torch.Tensor) -> Query:
        batches.append(len(images))
        return encode(images)

    monkeypatch.setattr(model, "encode_query", noted)
    threads = threading.active_count()  # other tests' are not this one's
    frames_per_second(model, Load(objects=1, memory_frames=2, clips=1))
    alone, batches[:] = max(batches), []
    frames_per_second(model, Load(objects=1, memory_frames=2, clips=3))
    assert max(batches) == 3 * alone
    assert threading.active_count() <= threads  # none is left


def test_every_budgeted_figure_is_a_load_of_the_table() -> None:
    names = {load.name for load in LOADS}
    budgeted = [name for name in budget(["cuda NVIDIA H200"]) if name.startswith("throughput.")]
    assert budgeted
    assert all(any(name.startswith(f"throughput.{load}_") for load in names) for name in budgeted)


def test_launches_and_waits_are_told_from_other_calls() -> None:
    calls = {"cudaLaunchKernel": 5, "cudaGraphLaunch": 1, "cudaStreamSynchronize": 2, "aten::add": 9, "cudaMalloc": 3}
    assert counted(calls, LAUNCHES) == 6
    assert counted(calls, WAITS) == 2
