"""The memory bank: what is added is what is read."""

import itertools

import pytest
import torch

from stcn_core.config import PropagationConfig
from stcn_core.memory import affinity as affinity_module
from stcn_core.memory.affinity import affinity, readout, similarity
from stcn_core.memory.bank import MemoryBank
from stcn_core.memory.clip_memory import ClipMemory
from stcn_core.memory.eviction import MemoryFrame, choose_eviction

CK, CV, H, W = 4, 3, 2, 3
ALL = PropagationConfig(top_k=None)


def frame(seed: int, objects: int, key_sets: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(key_sets, CK, H, W, generator=generator), torch.randn(objects, CV, H, W, generator=generator)


NO_MATTER = ()  # which frames queries are of, where reads have no locality


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
    bank = MemoryBank("l2", PropagationConfig(top_k=top_k))
    frames = [frame(seed, 2, key_sets) for seed in range(6)]
    for (key, value), permanent in zip(frames, (True, False, False, True, True, False), strict=True):
        bank.add(key, value, MemoryFrame(0, permanent))
    query = torch.randn(3, CK, H, W)
    kept = [frames[i] for i in (0, 3, 4, 5)]
    torch.testing.assert_close(bank.read(query, NO_MATTER), plain_read(kept, query, top_k))


def test_long_read_is_split_into_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = MemoryBank("l2", ALL)
    bank.add(*frame(0, 2), MemoryFrame(0))
    query = torch.randn(3, CK, H, W)
    whole = bank.read(query, NO_MATTER)
    monkeypatch.setattr(affinity_module, "MAX_AFFINITY_ENTRIES", 4 * H * W)
    torch.testing.assert_close(bank.read(query, NO_MATTER), whole)


def test_an_object_reads_only_from_its_first_prompt_on() -> None:
    clip = ClipMemory("l2", ALL)
    first, second = frame(0, 1), frame(1, 3)
    clip.add(*first, MemoryFrame(0))
    clip.add(*second, MemoryFrame(0))
    query = torch.randn(2, CK, H, W)
    read = clip.read(query, NO_MATTER)
    old = plain_read([first, (second[0], second[1][:1])], query, None)
    new = plain_read([(second[0], second[1][1:])], query, None)
    torch.testing.assert_close(read, torch.cat((old, new), dim=1))


def test_memory_bank_grows_by_doubling() -> None:
    bank = MemoryBank("l2", ALL)
    sizes = set()
    for seed in range(64):
        bank.add(*frame(seed, 1), MemoryFrame(0))
        sizes.add(bank._buffers._values.shape[1] // (H * W))
    assert sizes == {1, 2, 4, 8, 16, 32, 64}


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("recent", {0, 20, 30, 35, 40, 45, 50}), ("spread", {0, 10, 20, 30, 40, 45, 50})],
)
def test_a_policy_chooses_among_what_need_not_stay(policy: str, kept: set[int]) -> None:
    held = [MemoryFrame(0, prompted=True), MemoryFrame(20, prompted=True)]
    for index in (5, 10, 15, 25, 30, 35, 40, 45, 50):
        if len(held) == 7:
            dropped = choose_eviction(held, [0.0] * 7, policy)
            assert dropped is not None
            del held[dropped]
        held.append(MemoryFrame(index))
    assert {frame.frame_index for frame in held} == kept


def test_spread_thins_evenly_however_long_the_clip() -> None:
    held = [MemoryFrame(0, prompted=True)]
    for index in range(5, 10_000, 5):
        if len(held) == 20:
            dropped = choose_eviction(held, [0.0] * 20, "spread")
            assert dropped is not None
            del held[dropped]
        held.append(MemoryFrame(index))
    gaps = [b.frame_index - a.frame_index for a, b in itertools.pairwise(sorted(held))]
    assert max(gaps) <= 2.5 * 10_000 / 20


def test_no_frame_is_evicted_where_all_are_prompted_or_latest() -> None:
    held = [MemoryFrame(0, prompted=True), MemoryFrame(5, prompted=True), MemoryFrame(10)]
    assert choose_eviction(held, [0.0] * 3, "recent") is None


@pytest.mark.parametrize("top_k", [None, 4])
def test_policy_used_evicts_the_least_attended_frame(top_k: int | None) -> None:
    """Three frames stay beside the prompt; the queries look like the first and the third."""
    bank = MemoryBank("l2", PropagationConfig(top_k=top_k, max_memory_frames=4, memory_policy="used"))
    frames = [frame(seed, 1) for seed in range(6)]
    frames = [(key * 5, value) for key, value in frames]  # so far apart that each query attends to one frame
    for index, (key, value) in enumerate(frames[:4]):
        bank.add(key, value, MemoryFrame(index, prompted=index == 0))
        query = torch.cat([frames[i][0] for i in (1, 3)][: 1 + (index > 2)])
        bank.read(query, NO_MATTER)
    bank.add(*frames[4], MemoryFrame(4))
    query = torch.randn(2, CK, H, W)
    kept = [frames[i] for i in (0, 1, 4, 3)]
    torch.testing.assert_close(bank.read(query, NO_MATTER), plain_read(kept, query, top_k))


@pytest.mark.parametrize("policy", ["recent", "spread", "used"])
def test_bounded_memory_takes_no_more_room_and_a_temporary_frame_is_still_read(policy: str) -> None:
    bank = MemoryBank("l2", PropagationConfig(top_k=None, max_memory_frames=3, memory_policy=policy))
    frames = [frame(seed, 2) for seed in range(12)]
    query = torch.randn(1, CK, H, W)
    for index, (key, value) in enumerate(frames):
        bank.add(key, value, MemoryFrame(index, prompted=index == 0))
        bank.read(query, NO_MATTER)
        assert bank._buffers._values.shape[1] <= 4 * H * W
    last = frame(99, 2)
    bank.add(*last, MemoryFrame(12, permanent=False))
    read = bank.read(query, NO_MATTER)
    kept = [held.frame_index for held in bank._frames]
    assert {0, 11} < set(kept)
    torch.testing.assert_close(read, plain_read([*(frames[i] for i in kept), last], query, None))
