"""The fused memory read equals PyTorch's. Without a GPU, Triton's interpreter runs its kernels."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from stcn_core.config import Locality, PropagationConfig
from stcn_core.memory import bank, fused_choice, read
from stcn_core.memory.eviction import MemoryFrame
from stcn_core.memory.locality import LocalityPrior, locality_prior
from stcn_core.memory.top_k import read_top_k

if not torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("needs Triton's interpreter, in a process of its own: `make kernels`", allow_module_level=True)

from stcn_core.memory import fused_read

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
Q = 14


def tensors(sets: int, objects: int, positions: int, queries: int = Q) -> tuple[Tensor, Tensor, Tensor]:
    """Keys with 6 channels and values with 5: neither is a power of two."""
    generator = torch.Generator().manual_seed(positions)
    shapes = (sets, 6, positions), (objects, positions, 5), (6, queries)
    keys, values, query = (torch.randn(shape, generator=generator).to(DEVICE) for shape in shapes)
    return keys, values, query


@pytest.mark.parametrize(
    ("name", "sets", "objects", "positions", "k"),
    [("l2", 1, 1, 300, 20), ("l2", 3, 3, 70, 3), ("cosine", 1, 2, 131, 5), ("dot", 2, 2, 65, 4), ("l2", 1, 2, 3, 20)],
)
def test_fused_read_equals_the_tiled_read(name: str, sets: int, objects: int, positions: int, k: int) -> None:
    keys, values, query = tensors(sets, objects, positions)
    found, expected = (torch.zeros(positions, device=DEVICE) for _ in range(2))
    one = fused_read.read_fused(keys, values, query, similarity_name=name, k=k, attention_received=found)
    other = read_top_k(keys, values, query, similarity_name=name, k=k, attention_received=expected)
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_memory_that_is_partly_filled_is_read_up_to_its_length() -> None:
    """What lies behind it in the buffers would win every comparison, and spoil every sum."""
    keys, values, query = tensors(1, 2, 100)
    keys[..., 61:], values[:, 61:] = 1e6, torch.nan
    held = keys[..., :61], values[:, :61]
    found = fused_read.read_fused(*held, query, similarity_name="dot", k=7)
    torch.testing.assert_close(found, read_top_k(*held, query, similarity_name="dot", k=7), atol=1e-5, rtol=1e-5)


def test_of_equal_similarities_exactly_k_are_read() -> None:
    """All keys are equal, so any k positions may be read, each once, with equal weights."""
    keys, values, query = torch.ones(1, 6, 90), torch.zeros(1, 90, 1), torch.ones(6, 3)
    received = torch.zeros(90, device=DEVICE)
    fused_read.read_fused(
        keys.to(DEVICE), values.to(DEVICE), query.to(DEVICE), similarity_name="l2", k=8, attention_received=received
    )
    assert received.sum().item() == pytest.approx(3)
    assert set(received.mul(8).round().tolist()) <= {0, 1, 2, 3}
    torch.testing.assert_close(received.mul(8), received.mul(8).round())


@pytest.mark.parametrize("most", [2**26, 60, 10])
def test_each_query_frame_has_a_prior_of_its_own_in_pieces_of_any_size(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 60 block maxima a piece is one frame of 3 x 5 positions; with 10 it is a part of one."""
    monkeypatch.setattr(fused_read, "MAX_MAXIMA", most)
    keys, values, query = tensors(1, 2, 4 * 15, 2 * 15)
    ages = torch.tensor([[8.0, 5, 4, 1], [9.0, 6, 5, 2]], device=DEVICE)
    prior = locality_prior(Locality(0.2, 0.05), ages, 3, width=5)
    found = fused_read.read_fused(keys, values, query, similarity_name="l2", k=6, prior=prior)
    expected = [
        read_top_k(keys, values, frame, similarity_name="l2", k=6, prior=LocalityPrior(memory, prior.query))
        for frame, memory in zip(query.chunk(2, dim=1), prior.memory, strict=True)
    ]
    torch.testing.assert_close(found, torch.cat(expected, dim=1), atol=1e-5, rtol=1e-5)


def test_half_precision_values_are_averaged_in_float32() -> None:
    keys, values, query = tensors(1, 1, 64)
    found = fused_read.read_fused(keys, values.bfloat16(), query, similarity_name="l2", k=20)
    expected = read_top_k(keys, values.bfloat16().float(), query, similarity_name="l2", k=20)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected.bfloat16(), atol=0.02, rtol=0.01)


@pytest.mark.parametrize("is_local", [False, True])
def test_the_trial_finds_kernels_that_read_something_else(is_local: bool) -> None:
    read, reference = (partial(one, similarity_name="l2", k=4) for one in (fused_read.read_fused, read_top_k))

    def off(*tensors: Tensor, prior: LocalityPrior | None) -> Tensor:
        return -read(*tensors, prior=prior)

    def difference(reader: Callable[..., Tensor]) -> float:
        return fused_choice.trial(
            reader, reference, device=torch.device(DEVICE), dtype=torch.float32, channels=(6, 5), is_local=is_local
        )

    assert difference(read) < 1e-4
    assert difference(off) > fused_choice.TOLERANCE


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (0.0, ""),
        (0.3, "its kernels are off by 0.3 on this GPU"),
        (RuntimeError("no gcc"), "slower: RuntimeError: no gcc"),
    ],
)
def test_pytorch_reads_where_the_kernels_fail_on_trial(
    trial: float | Exception, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def tried(*_: object, **__: object) -> float:
        if isinstance(trial, Exception):
            raise trial
        return trial

    monkeypatch.setattr(fused_choice, "trial", tried)
    arguments = torch.device("cpu"), torch.float32, (6, 5)
    chosen = fused_choice._tried.__wrapped__(*arguments, similarity_name="l2", k=5, is_local=False)
    assert (chosen is None) == bool(said)
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)


def test_a_bank_reads_its_blocks_through_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def fused(*_: object, similarity_name: str, k: int, is_local: bool) -> Callable[..., Tensor]:
        assert is_local
        return lambda *tensors, **options: fused_read.read_fused(
            *tensors, similarity_name=similarity_name, k=k, **options
        )

    def filled() -> bank.MemoryBank:
        made = bank.MemoryBank("l2", PropagationConfig(top_k=5, frame_step=2), Locality(0.2, 0.05))
        generator = torch.Generator().manual_seed(1)
        for index in range(3):
            key, value = (torch.randn(1, n, 3, 5, generator=generator).to(DEVICE) for n in (6, 5))
            made.add(key, value, MemoryFrame(index))
        return made

    query = torch.randn(2, 6, 3, 5, generator=torch.Generator().manual_seed(2)).to(DEVICE)
    expected = filled().read(query, [3, 4])
    monkeypatch.setattr(read, "fused_read_of", fused)
    torch.testing.assert_close(filled().read(query, [3, 4]), expected, atol=1e-5, rtol=1e-5)


def test_no_kernel_is_compiled_anew_for_another_size() -> None:
    """A clip's size and the length of its memory are arguments: Triton is told not to look at their values."""
    code = (
        "from stcn_core.memory import fused_kernels as kernels\n"
        "for kernel in (kernels.block_maxima, kernels.best_of_blocks, kernels.weighted_values):\n"
        "    rest = [one for one in kernel.params if not one.is_constexpr and not one.do_not_specialize]\n"
        "    print(*(one.name for one in rest))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert printed.stdout.splitlines() == [
        "keys query prior_memory prior_query maxima",
        "keys query prior_memory prior_query blocks weights positions divisor",
        "values weights positions out",
    ]
