"""A similarity, a memory policy and a memory read are each one function and one line, and go through propagation."""

import copy
import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from stcn_core import (
    FrameMasks,
    MemoryFrame,
    PropagationConfig,
    Session,
    SimilarityParts,
    propagate,
    read_memory,
    register_memory_policy,
    register_similarity,
)
from stcn_core.memory.eviction import policy_names
from stcn_core.registry import Registry
from tests.core.clips import clip_and_prompt
from tests.core.tiny import tiny_model

FRAMES, LABELS = clip_and_prompt()
PROMPTS = {0: LABELS[0]}


def run(**options: Any) -> list[FrameMasks]:
    return list(propagate(tiny_model(), FRAMES, PROMPTS, return_probabilities=True, **options))


def differ(results: list[FrameMasks], others: list[FrameMasks]) -> bool:
    pairs = zip(results, others, strict=True)
    return any(not np.array_equal(a.probabilities, b.probabilities) for a, b in pairs)  # type: ignore[arg-type]


def scaled_dot(memory: Tensor, query: Tensor) -> SimilarityParts:
    """m.q / C, as a Transformer that forgot its root."""
    return SimilarityParts(memory, query, divisor=memory.shape[-2])


register_similarity("scaled dot", scaled_dot)


@pytest.mark.parametrize("top_k", [None, 20])
def test_a_similarity_of_ones_own(top_k: int | None) -> None:
    model = copy.deepcopy(tiny_model())
    config = PropagationConfig(top_k=top_k)
    results = {}
    for name in ("dot", "scaled dot"):
        model.config = dataclasses.replace(model.config, similarity=name)
        results[name] = list(propagate(model, FRAMES, PROMPTS, config=config, return_probabilities=True))
    assert differ(results["dot"], results["scaled dot"])
    model.config = dataclasses.replace(model.config, similarity="dot")

    def read(keys: Tensor, values: Tensor, query: Tensor, **options: Any) -> Tensor:
        return read_memory(keys, values, query / query.shape[0] ** 0.5, **options)

    plain = propagate(model, FRAMES, PROMPTS, config=config, return_probabilities=True, memory_read=read)
    for one, other in zip(results["scaled dot"], plain, strict=True):
        assert one.probabilities is not None
        assert other.probabilities is not None
        assert np.abs(one.probabilities - other.probabilities).max() < 1e-4


EVICTED: list[int] = []


def keep_early(frames: Sequence[MemoryFrame], usage: Sequence[float]) -> int | None:
    """Evict the latest frame that is no prompt."""
    assert not any(usage)
    position = max((at for at in range(len(frames)) if not frames[at].prompted), key=lambda at: frames[at].frame_index)
    EVICTED.append(frames[position].frame_index)
    return position


register_memory_policy("early", keep_early)


def test_a_memory_policy_of_ones_own() -> None:
    EVICTED.clear()
    config = PropagationConfig(memory_every=2, max_memory_frames=3, memory_policy="early")
    early = run(config=config)
    assert EVICTED == [4, 6, 8]  # frame 10 drives out 8; the last frame, 11, is no memory frame
    assert differ(early, run(config=dataclasses.replace(config, memory_policy="recent")))
    session = Session(tiny_model(), config)
    for frame, expected in zip(FRAMES, early, strict=True):
        result = session.step(frame, None if session.frame_index else LABELS[0])
        assert np.array_equal(result.labels, expected.labels)


def test_a_policy_that_asks_for_usage_sees_it() -> None:
    seen: list[Sequence[float]] = []

    def watch(frames: Sequence[MemoryFrame], usage: Sequence[float]) -> int | None:
        seen.append(list(usage))
        return None

    register_memory_policy("watch", watch, needs_usage=True)
    run(config=PropagationConfig(memory_every=2, max_memory_frames=2, memory_policy="watch"))
    assert [len(usage) for usage in seen] == [2, 3, 4, 5]  # None keeps all
    assert all(0 < share <= 1 for usage in seen for share in usage[:-1])


def test_a_policy_that_names_no_frame_is_refused() -> None:
    register_memory_policy("wrong", lambda frames, usage: len(frames))
    with pytest.raises(ValueError, match="memory_policy='wrong' returned 2; legal: None, or 0 to 1"):
        run(config=PropagationConfig(memory_every=2, max_memory_frames=2, memory_policy="wrong"))


@pytest.mark.parametrize("top_k", [None, 20])
def test_a_memory_read_of_ones_own(top_k: int | None) -> None:
    shapes = set()

    def read(keys: Tensor, values: Tensor, query: Tensor, **options: Any) -> Tensor:
        found = read_memory(keys, values, query, **options)
        objects, positions, channels = values.shape
        assert keys.shape == (1, 8, positions)
        assert query.shape[0] == 8
        assert found.shape == (objects, query.shape[1], channels)
        shapes.add((options["top_k"], options["similarity_name"], options["attention_received"], options["prior"]))
        return found

    config = PropagationConfig(top_k=top_k)
    assert not differ(run(config=config), run(config=config, memory_read=read))
    assert shapes == {(top_k, "l2", None, None)}

    def nothing(keys: Tensor, values: Tensor, query: Tensor, **options: Any) -> Tensor:
        return values.new_zeros(len(values), query.shape[1], values.shape[2])

    forgetful = run(config=config, memory_read=nothing)
    assert differ(run(config=config), forgetful)
    session = Session(tiny_model(), config, memory_read=nothing)
    for index, frame in enumerate(FRAMES):
        assert np.array_equal(session.step(frame, PROMPTS.get(index)).labels, forgetful[index].labels)


def test_names_of_policies_are_read_without_torch() -> None:
    """Whoever checks an option must not wait 2 s for it."""
    script = "import sys, stcn_core.memory.eviction as eviction; assert 'torch' not in sys.modules, eviction"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_built_in_names_stay_and_own_names_may_be_given_again() -> None:
    with pytest.raises(ValueError, match="similarity='l2' is built in and stays as it is"):
        register_similarity("l2", scaled_dot)
    with pytest.raises(ValueError, match="memory_policy='used' is built in"):
        register_memory_policy("used", keep_early)
    own: Registry[int] = Registry("number", {"one": 1}, register="add_number")
    own.register("two", 3)
    own.register("two", 2)
    assert (own["two"], own.names()) == (2, ("one", "two"))
    assert own.entries() == (1, 2)
    with pytest.raises(ValueError, match="number='three' is not usable; legal: one, two, and what add_number adds"):
        own["three"]
    assert policy_names()[:3] == ("recent", "spread", "used")
