"""The memory bank: what is added is what is read."""

import pytest
import torch

from stcn_core import memory
from stcn_core.attention import affinity, readout, similarity
from stcn_core.memory import ClipMemory, MemoryBank

CK, CV, H, W = 4, 3, 2, 3


def frame(seed: int, objects: int, key_sets: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(key_sets, CK, H, W, generator=generator), torch.randn(objects, CV, H, W, generator=generator)


def plain_read(frames: list[tuple[torch.Tensor, torch.Tensor]], query: torch.Tensor, top_k: int | None) -> torch.Tensor:
    """B, O, CV, h, w by the definition, one query frame at a time."""
    keys = torch.cat([key.flatten(2) for key, _ in frames], dim=2)
    values = torch.cat([value.flatten(2) for _, value in frames], dim=2)
    reads = [readout(affinity(similarity(keys, q.flatten(1), "l2"), top_k), values) for q in query]
    stacked: torch.Tensor = torch.stack(reads)
    return stacked.view(*stacked.shape[:-1], H, W)


@pytest.mark.parametrize("key_sets", [1, 2])
@pytest.mark.parametrize("top_k", [None, 4])
def test_a_bank_reads_permanent_frames_and_the_last_temporary_one(key_sets: int, top_k: int | None) -> None:
    bank = MemoryBank("l2", top_k)
    frames = [frame(seed, 2, key_sets) for seed in range(6)]
    for (key, value), permanent in zip(frames, (True, False, False, True, True, False), strict=True):
        bank.add(key, value, permanent)
    query = torch.randn(3, CK, H, W)
    kept = [frames[i] for i in (0, 3, 4, 5)]
    torch.testing.assert_close(bank.read(query), plain_read(kept, query, top_k))


def test_a_long_read_goes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = MemoryBank("l2", None)
    bank.add(*frame(0, 2), permanent=True)
    query = torch.randn(3, CK, H, W)
    whole = bank.read(query)
    monkeypatch.setattr(memory, "MAX_AFFINITY", 4 * H * W)
    torch.testing.assert_close(bank.read(query), whole)


def test_an_object_reads_only_from_its_first_prompt_on() -> None:
    clip = ClipMemory("l2", None)
    first, second = frame(0, 1), frame(1, 3)
    clip.add(*first, permanent=True)
    clip.add(*second, permanent=True)
    query = torch.randn(2, CK, H, W)
    read = clip.read(query)
    old = plain_read([first, (second[0], second[1][:1])], query, None)
    new = plain_read([(second[0], second[1][1:])], query, None)
    torch.testing.assert_close(read, torch.cat((old, new), dim=1))


def test_memory_grows_by_doubling() -> None:
    bank = MemoryBank("l2", None)
    sizes = set()
    for seed in range(64):
        bank.add(*frame(seed, 1), permanent=True)
        sizes.add(bank._values.shape[1] // (H * W))
    assert sizes == {1, 2, 4, 8, 16, 32, 64}
