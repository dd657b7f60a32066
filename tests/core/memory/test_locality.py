"""A memory read with locality, against its definition."""

import pytest
import torch
from torch import Tensor

from stcn_core.config import Locality, PropagationConfig
from stcn_core.memory import affinity
from stcn_core.memory.affinity import readout, similarity
from stcn_core.memory.bank import MemoryBank
from stcn_core.memory.clip_memory import ClipMemory
from stcn_core.memory.eviction import MemoryFrame
from stcn_core.memory.locality import locality_prior

H, W, CK, CV = 5, 7, 4, 6
NEAR = Locality(0.2, 0.05)


def prior(age: float) -> Tensor:
    """Its logarithm by the definition, (h*w, h*w): a Gaussian of the distance in shares of the shorter side."""
    rows, columns = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
    positions = torch.stack((rows.flatten(), columns.flatten()), 1).float() / min(H, W)
    deviation = NEAR.spread + NEAR.growth * age
    return -torch.cdist(positions, positions).square() / (2 * deviation**2)


def random(*size: int) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(sum(size)))


def plain(keys: list[Tensor], values: list[Tensor], query: Tensor, ages: list[int], top_k: int | None) -> Tensor:
    """Read for one frame's key (CK, h, w): (O, CV, h, w)."""
    scores = torch.cat([
        similarity(key.flatten(2), query.flatten(1), "l2") + prior(age) for key, age in zip(keys, ages, strict=True)
    ], dim=1)  # fmt: skip
    if top_k:
        scores = scores.masked_fill(scores < scores.topk(top_k, dim=1).values[:, -1:], -torch.inf)
    read: Tensor = readout(scores.softmax(1), torch.cat([value.flatten(2) for value in values], 2))
    maps: Tensor = read.unflatten(-1, (H, W))
    return maps


@pytest.mark.parametrize("key_sets", [1, 2])
@pytest.mark.parametrize("top_k", [None, 6])
def test_each_query_frame_has_a_prior_of_its_own(
    key_sets: int, top_k: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames 0 and 3 are in memory, and 7 for the time being; in reverse, ages are counted in the same way."""
    monkeypatch.setattr(affinity, "MAX_AFFINITY_ENTRIES", 20 * H * W)  # reads of all positions go in pieces
    bank = MemoryBank("l2", PropagationConfig(top_k=top_k, frame_step=2), NEAR)
    keys, values = list(random(3, key_sets, CK, H, W)), list(random(3, 2, CV, H, W))
    for key, value, frame in zip(keys, values, (0, 3, 7), strict=True):
        bank.add(key, value, MemoryFrame(frame, permanent=frame < 7))
    query = random(2, CK, H, W)
    read = bank.read(query, [8, 6])
    torch.testing.assert_close(read[0], plain(keys, values, query[0], [16, 10, 2], top_k), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(read[1], plain(keys, values, query[1], [12, 6, 2], top_k), atol=1e-5, rtol=1e-5)


def test_the_temporary_frames_age_is_forgotten_with_it() -> None:
    bank = MemoryBank("l2", PropagationConfig(), NEAR)
    keys, values = list(random(2, 1, CK, H, W)), list(random(2, 1, CV, H, W))
    bank.add(keys[0], values[0], MemoryFrame(0))
    bank.add(random(1, CK, H, W), random(1, CV, H, W), MemoryFrame(4, permanent=False))
    bank.add(keys[1], values[1], MemoryFrame(5))
    query = random(1, CK, H, W)
    torch.testing.assert_close(
        bank.read(query, [6])[0], plain(keys, values, query[0], [6, 1], 20), atol=1e-5, rtol=1e-5
    )


def test_clip_memory_hands_locality_to_each_bank() -> None:
    clip = ClipMemory("l2", PropagationConfig(top_k=None), NEAR)
    key, value, query = random(1, CK, H, W), random(1, CV, H, W), random(1, CK, H, W)
    clip.add(key, value, MemoryFrame(2))
    torch.testing.assert_close(clip.read(query, [4])[0], plain([key], [value], query[0], [2], None))


def test_locality_takes_ages_for_each_clip_of_a_batch() -> None:
    """As training reads: ages (B, 1, T)."""
    near = locality_prior(NEAR, torch.tensor([[[3, 1]], [[8, 2]]]), H, width=W)
    found = near.memory.transpose(-1, -2) @ near.query  # B, 1, N, Q
    expected = [torch.cat([prior(3), prior(1)]), torch.cat([prior(8), prior(2)])]
    torch.testing.assert_close(found[:, 0], torch.stack(expected), atol=1e-4, rtol=1e-5)
