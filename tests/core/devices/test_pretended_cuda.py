"""On a pretended GPU masks are the CPU's, nothing mixes devices, and the host seldom waits."""

import copy
import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
import torch

from stcn_core import Session
from stcn_core.memory import bank, locality
from stcn_core.propagation.frame_stream import to_images
from stcn_core.propagation.results import FrameMasks
from stcn_core.transfers import page_locked
from tests.core.clips import as_planes, noisy_clip
from tests.core.devices.cases import CASES, FRAMES, Case
from tests.core.devices.pretended_cuda import CUDA, PretendedTensor, on_pretended_cuda, pretended_cuda

WAITS = 0.5  # a frame and pass, at most; a block of five frames waits once
EQUAL = {torch.float64: 1.0, torch.bfloat16: 0.998}  # share of the labels: half precision rounds by the size of tiles


class Run(NamedTuple):
    """What a case gave on the pretended device."""

    masks: list[FrameMasks]
    waits: Counter[tuple[str, str]]


def run(case: Case) -> Run:
    with pretended_cuda() as device:
        model = on_pretended_cuda(copy.deepcopy(case.model()))
        return Run(list(case.masks(model)), device.waits)


@pytest.mark.parametrize("name", CASES)
def test_masks_equal_those_of_the_cpu_and_the_host_seldom_waits(name: str) -> None:
    case = CASES[name]
    found, expected = run(case), list(case.masks(case.model()))
    assert [one.object_ids for one in found.masks] == [one.object_ids for one in expected]
    equal = [np.mean(one.labels == other.labels) for one, other in zip(found.masks, expected, strict=True)]
    assert np.mean(equal) >= EQUAL[case.precision]
    for one, other in zip(found.masks, expected, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=0.02)
        np.testing.assert_allclose(one.stability, other.stability, atol=0.05)
    passes = 2 if case.options.get("direction") == "both" else 1
    assert sum(found.waits.values()) / FRAMES / passes <= WAITS, found.waits


def test_planes_of_page_locked_memory_go_to_the_gpu_without_a_wait() -> None:
    planes = as_planes(noisy_clip(3, 1, 70, 90, 1)[0][0])
    with pretended_cuda() as device:
        locked = [page_locked(planes.packed.shape[0], CUDA) for _ in range(3)]
        for memory in locked:
            memory.copy_(torch.from_numpy(planes.packed))
        frames = [dataclasses.replace(planes, packed=memory) for memory in locked]
        found = to_images(frames, CUDA, (48, 62))
        assert isinstance(found, PretendedTensor)
    assert device.waits == {}
    assert torch.equal(found.held, to_images([planes] * 3, torch.device("cpu"), (48, 62)))


def test_a_tensor_left_on_the_host_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = locality.locality_prior

    def planted(*arguments: object, **options: object) -> locality.LocalityPrior:
        prior = made(*arguments, **options)  # type: ignore[arg-type]
        return prior._replace(query=prior.query.cpu())

    monkeypatch.setattr("stcn_core.memory.bank.locality_prior", planted)
    with pytest.raises(RuntimeError, match=r"memory/affinity.py:\d+ takes a tensor .* of the host"):
        run(CASES["stcn-mini"])


def test_a_wait_in_each_frame_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stcn_core.propagation.fusion.nearness", lambda frame, prompted: 0.5)
    confidence = "stcn_core.propagation.fusion.confidence"

    def planted(side: object) -> dict[int, float]:
        return {i: float(side.planes.mean()) for i in side.object_ids}  # type: ignore[attr-defined]

    monkeypatch.setattr(confidence, planted)
    waits = run(CASES["both directions"]).waits
    assert waits["_local_scalar_dense", next(where for what, where in waits if "fusion" in where)] > FRAMES / 2


def test_a_session_with_tensors_does_not_wait_but_for_a_prompt() -> None:
    case = CASES["stcn-mini"]
    with pretended_cuda() as device:
        session = Session(on_pretended_cuda(copy.deepcopy(case.model())), output="torch")
        image = torch.randint(0, 255, (3, 70, 90), dtype=torch.uint8)
        prompt = np.zeros((70, 90), np.uint8)
        prompt[20:40, 30:50] = 1
        session.step(image, prompt)
        for _ in range(12):
            assert isinstance(session.step(image).labels, PretendedTensor)
    assert device.waits == {}


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_products_are_exact_beside_float32_and_in_tf32_beside_half_precision(
    precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    seen, before = set(), settings()
    read = bank.MemoryBank.read

    def watched(self: bank.MemoryBank, query_key: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
        seen.add(settings())
        return read(self, query_key, frames)

    monkeypatch.setattr(bank.MemoryBank, "read", watched)
    case = Case(precision=precision)
    with pretended_cuda():
        for _ in case.masks(on_pretended_cuda(copy.deepcopy(case.model()))):
            assert settings() == before
    assert seen == {("high", True) if precision == torch.bfloat16 else ("highest", False)}
