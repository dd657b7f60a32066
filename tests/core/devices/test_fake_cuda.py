"""On a fake GPU every network and option runs on one device, and few operations are launched a frame."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from stcn_core import ModelConfig, PropagationConfig, load_model, propagate
from stcn_core.acceleration.inference import folded
from stcn_core.memory import bank, frame_buffers
from stcn_core.models.network import Network
from stcn_core.models.network_registry import build_network
from stcn_core.models.stm import STM_PUBLISHED
from tests.core.clips import as_planes
from tests.core.devices.cases import CASES, FRAMES, Case
from tests.core.devices.fake_cuda import Launches, fake_cuda, on_fake_cuda

# Launches a frame at 480p, and some to spare.
LAUNCHES = {
    ("stcn", 1, 46): 58,
    ("stcn", 1, 321): 85,
    ("stcn", 5, 46): 100,
    ("stm", 1, 46): 200,
    ("stcn-mini", 1, 46): 86,
}


def network(name: str) -> Network:
    """Of the published sizes, in the form and precision of a GPU."""
    made = {
        "stcn": lambda: build_network(ModelConfig()),
        "stm": lambda: build_network(STM_PUBLISHED),
        "stcn-mini": lambda: load_model("stcn-mini"),
    }
    return folded(made[name]().eval(), torch.bfloat16)


def launches(model: Network, objects: int, frames: int, *, planes: tuple[int, int] | None = None) -> Launches:
    """What a clip at 480 x 854 sends to the device. planes: size of frames in luma and chroma, in place of RGB."""
    labels = np.zeros((480, 854), np.int32)
    for number in range(objects):
        labels[50 * number : 50 * number + 40, 100:300] = 1 + number
    image = as_planes(np.zeros((*planes, 3), np.uint8)) if planes else np.zeros((480, 854, 3), np.uint8)
    images = [image] * frames
    with fake_cuda() as counted:
        on_device = on_fake_cuda(model)
        config = PropagationConfig.for_model(on_device)
        masks = propagate(on_device, images, {0: labels}, config=config, size=labels.shape)
        assert len(list(masks)) == frames
    return counted


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "memory_policy" not in case.options])
def test_every_network_and_option_stays_on_its_device(name: str) -> None:
    """The policy "used" asks the device for values, so the pretended device has it."""
    case = CASES[name]
    model = copy.deepcopy(case.model())
    with fake_cuda() as counted:
        assert len(list(case.masks(on_fake_cuda(model)))) == FRAMES
    assert counted.operations.total() > FRAMES


@pytest.mark.parametrize(("name", "objects", "frames"), LAUNCHES)
def test_launches_a_frame_keep_to_their_budget(name: str, objects: int, frames: int) -> None:
    counted = launches(network(name), objects, frames)
    assert counted.operations.total() / frames <= LAUNCHES[name, objects, frames], counted.lines.most_common(12)


@pytest.mark.parametrize("size", [(480, 854), (1080, 1920)])
def test_a_gpu_converts_planes_with_two_launches_a_frame_more(size: tuple[int, int]) -> None:
    model = network("stcn")
    of_planes = launches(copy.deepcopy(model), 1, 46, planes=size)
    of_rgb = launches(model, 1, 46)
    assert of_planes.operations.total() - of_rgb.operations.total() <= 2 * 46, of_planes.lines.most_common(12)


def test_a_tensor_left_on_the_host_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ages = bank.MemoryBank._ages

    def planted(self: bank.MemoryBank, frames: Sequence[int]) -> torch.Tensor:
        return torch.zeros_like(ages(self, frames), device="cpu")

    monkeypatch.setattr(bank.MemoryBank, "_ages", planted)
    model = copy.deepcopy(CASES["stcn-mini"].model())
    with pytest.raises(RuntimeError, match="found at least two devices, cpu and cuda:0|same device"), fake_cuda():
        list(CASES["stcn-mini"].masks(on_fake_cuda(model)))


def test_an_operation_more_in_each_frame_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(precision=torch.bfloat16)
    plain, more = copy.deepcopy(case.model()), copy.deepcopy(case.model())
    with fake_cuda() as counted:
        list(case.masks(on_fake_cuda(plain)))
    segment = type(more).segment
    monkeypatch.setattr(type(more), "segment", lambda self, readout, query: segment(self, readout.sinh(), query))
    with fake_cuda() as found:
        list(case.masks(on_fake_cuda(more)))
    planted = found.operations - counted.operations
    assert set(planted) == {"sinh"}
    assert planted["sinh"] >= FRAMES / 5


@pytest.mark.parametrize(("limit", "allocations"), [(2**30, 1), (0, 5)])
def test_a_gpu_allocates_a_bounded_memory_once_where_it_is_small_enough(
    limit: int, allocations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 12 memory frames, buffers that double are made 5 times: for 1, 2, 4, 8 and 16."""
    monkeypatch.setattr(frame_buffers, "MAX_BYTES_AT_ONCE", limit)
    grow, grown = frame_buffers.FrameBuffers._grow, []

    def counted(self: frame_buffers.FrameBuffers, *arguments: Any) -> None:
        grow(self, *arguments)
        grown.append(self._slots)

    monkeypatch.setattr(frame_buffers.FrameBuffers, "_grow", counted)
    case = Case(options={"max_memory_frames": 12, "memory_every": 2}, precision=torch.bfloat16)
    model = copy.deepcopy(case.model())
    with fake_cuda():
        list(case.masks(on_fake_cuda(model)))
    assert len(grown) == allocations
    assert grown[-1] >= 12
