"""Clips that share a network's calls have the masks that each has alone, and each its own errors."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stcn_core import Network, PropagationConfig, Session, propagate
from stcn_core.acceleration.shared_network import ClipNetwork, SharedNetwork
from stcn_core.models.network import Query
from stcn_core.propagation.results import FrameMasks
from tests.core.acceleration.together import masks_of, together
from tests.core.clips import noisy_clip
from tests.core.devices.cases import CASES
from tests.core.models.test_new_network import ColourConfig, ColourNetwork, masks, moving_square
from tests.core.tiny import tiny_model

EQUAL = {torch.float64: 1.0, torch.bfloat16: 0.998}  # share of the labels: half precision rounds by the size of batches
Clip = Callable[[Network], Iterator[FrameMasks]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Many threads that each have a pool of their own are slow on a small machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def clip(seed: int, *, frames: int = 12, objects: int = 1, size: tuple[int, int] = (40, 56), **options: object) -> Clip:
    video, labels = noisy_clip(seed, frames, *size, objects)

    def work(network: Network) -> Iterator[FrameMasks]:
        config = PropagationConfig.for_model(network, **options)
        return propagate(network, video, {0: labels[0]}, config=config)

    return work


class Counted(ColourNetwork):
    """Notes the sizes of its calls; a frame whose key is all 0 is a black one, which it may refuse."""

    def __init__(self) -> None:
        super().__init__(ColourConfig())
        self.calls: list[tuple[str, tuple[int, ...]]] = []
        self.eval().requires_grad_(False)

    def encode_query(self, images: Tensor) -> Query:
        self.calls.append(("encode_query", tuple(images.shape)))
        return super().encode_query(images)

    def encode_memory(self, images: Tensor, query: Query, masks: Tensor) -> tuple[Tensor, Tensor]:
        self.calls.append(("encode_memory", tuple(masks.shape)))
        return super().encode_memory(images, query, masks)

    def segment(self, readout: Tensor, query: Query) -> Tensor:
        self.calls.append(("segment", tuple(readout.shape)))
        return super().segment(readout, query)


def equal_share(some: list[FrameMasks], others: list[FrameMasks]) -> float:
    return float(np.mean([np.mean(a.labels == b.labels) for a, b in zip(some, others, strict=True)]))


@pytest.mark.parametrize("name", CASES)
def test_masks_of_every_network_and_option_are_those_of_clips_alone(name: str) -> None:
    case = CASES[name]
    model = case.model()
    other = clip(5, frames=17, objects=3)
    alone = [list(work(model)) for work in (case.masks, other)]
    shared = list(map(masks_of, together(model, [case.masks, other, case.masks])))
    for found, expected in zip(shared, (*alone, alone[0]), strict=True):
        assert [one.object_ids for one in found] == [one.object_ids for one in expected]
        assert equal_share(found, expected) >= EQUAL[case.precision]


@pytest.mark.parametrize("network", ["stcn", "stm"])
def test_clips_of_any_length_and_number_of_objects_have_the_masks_that_they_have_alone(network: str) -> None:
    model = tiny_model(network, torch.float64)
    clips = [clip(seed, frames=6 + 5 * (seed % 3), objects=1 + seed % 5) for seed in range(7)]
    clips.append(clip(9, size=(64, 40), objects=2))
    found = list(map(masks_of, together(model, clips, at_once=5)))
    assert [equal_share(some, list(work(model))) for some, work in zip(found, clips, strict=True)] == [1.0] * len(clips)


def test_eight_clips_take_no_more_calls_than_one() -> None:
    one, eight = Counted(), Counted()
    list(clip(0, frames=31)(one))
    together(eight, [clip(seed, frames=31) for seed in range(8)])
    kinds = [Counter(method for method, _ in model.calls) for model in (one, eight)]
    assert kinds[0] == kinds[1]
    assert {shape[0] for _, shape in eight.calls} == {8 * shape[0] for _, shape in one.calls}


def striped(objects: int) -> Clip:
    """A clip with so many objects, side by side."""
    video, _ = noisy_clip(objects, 12, 40, 56, 1)
    labels = np.zeros((40, 56), np.int32)
    for number in range(objects):
        labels[8:32, 8 * number + 2 : 8 * number + 9] = 1 + number
    config = PropagationConfig(top_k=1, memory_every=2, decode_batch=99)
    return lambda network: propagate(network, video, {0: labels}, config=config)


def test_clips_of_five_objects_and_of_one_share_calls_without_empty_rows() -> None:
    model = Counted()
    found = together(model, [striped(5), striped(1), striped(4)])
    assert {shape[1] for method, shape in model.calls if method == "segment"} == {1, 4}
    assert sum(shape[0] * shape[1] for method, shape in model.calls if method == "segment") == 11 * (5 + 1 + 4)
    alone = [list(striped(objects)(Counted())) for objects in (5, 1, 4)]
    assert [equal_share(masks_of(some), other) for some, other in zip(found, alone, strict=True)] == [1.0] * 3


def test_clips_of_as_many_objects_are_memorised_together() -> None:
    model = Counted()
    together(model, [striped(2), striped(1), striped(2)])
    assert {shape[:2] for method, shape in model.calls if method == "encode_memory"} == {(2, 2), (1, 1)}


def test_the_same_clips_share_the_same_calls_whichever_is_faster() -> None:
    def slowed(work: Clip, seed: int) -> Clip:
        def slow(network: Network) -> Iterator[FrameMasks]:
            pauses = random.Random(seed)
            for result in work(network):
                if pauses.random() < 0.5:
                    time.sleep(0.003)
                yield result

        return slow

    clips = [clip(seed, frames=5 + 3 * seed, objects=1 + seed % 3) for seed in range(6)]
    quick, slow = Counted(), Counted()
    together(quick, clips, at_once=3)
    together(slow, [slowed(work, seed) for seed, work in enumerate(clips)], at_once=3)
    assert quick.calls == slow.calls


def test_an_error_in_a_shared_call_is_raised_in_the_clip_that_it_is_of() -> None:
    class Choosy(Counted):
        def segment(self, readout: Tensor, query: Query) -> Tensor:
            if (query.key < 0.5).all(dim=1).flatten(1).all(dim=1).any():
                raise ArithmeticError("a black frame")
            return super().segment(readout, query)

    def black_at_last(network: Network) -> Iterator[FrameMasks]:
        video, labels = noisy_clip(1, 9, 40, 56, 1)
        video[7:] = 0
        return propagate(network, video, {0: labels[0]})

    first, second, third = together(Choosy(), [clip(0), black_at_last, clip(2)])
    assert isinstance(second, ArithmeticError)
    assert [equal_share(masks_of(first), list(clip(0)(Counted()))), len(masks_of(third))] == [1.0, 12]


class Small(Counted):
    """Has room for so many images in a call."""

    most = 12

    def encode_query(self, images: Tensor) -> Query:
        query = super().encode_query(images)
        if len(images) > self.most:
            raise torch.OutOfMemoryError("a batch is too large")
        return query


def test_calls_that_a_gpu_has_no_room_for_go_on_in_halves_and_later_ones_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = Small()
    found = together(model, [clip(seed, frames=31) for seed in range(8)])
    assert [equal_share(masks_of(some), list(clip(seed, frames=31)(Counted()))) for seed, some in enumerate(found)] == [
        1.0
    ] * 8
    too_large = [shape[0] for method, shape in model.calls if method == "encode_query" and shape[0] > model.most]
    assert too_large == [72, 36, 18]
    assert "calls that 8 clips share go on in halves" in caplog.text


def test_a_clip_that_does_not_fit_alone_halves_its_own_batches(caplog: pytest.LogCaptureFixture) -> None:
    model = Small()
    model.most = 3
    found = together(model, [clip(seed) for seed in range(2)])
    assert [len(masks_of(some)) for some in found] == [12, 12]
    assert "encoding goes on in batches of" in caplog.text


def test_a_call_has_no_more_pixels_than_it_may() -> None:
    model, limit = Counted(), 20 * 48 * 64
    shared = SharedNetwork(model, at_once=8, max_pixels=limit)
    together(model, [striped(2)] * 8, shared=shared)
    rows = {
        method: max(
            shape[0] * (shape[1] if method == "segment" else 1) for kind, shape in model.calls if kind == method
        )
        for method in ("encode_query", "segment")
    }
    assert rows == {"encode_query": 18, "segment": 20}


def test_clips_that_end_anywhere_hold_nobody_up() -> None:
    def cut_short(seed: int) -> Callable[[Network], list[FrameMasks]]:
        choices = random.Random(seed)

        def work(network: Network) -> list[FrameMasks]:
            results = clip(seed, frames=choices.randrange(1, 25), objects=1 + seed % 3)(network)
            some = [result for result, _ in zip(results, range(choices.randrange(20)), strict=False)]
            if choices.random() < 0.3:
                raise ArithmeticError("left in the midst")
            results.close()  # type: ignore[attr-defined]
            return some

        return work

    found = together(Counted(), [cut_short(seed) for seed in range(24)], at_once=5)
    assert all(isinstance(some, (list, ArithmeticError)) for some in found)
    assert any(isinstance(some, ArithmeticError) for some in found)


def test_sessions_share_calls_as_well() -> None:
    frames, labels = moving_square()

    def steps(network: Network) -> list[Any]:
        session = Session(network)
        return [session.step(frame, labels[0] if not index else None) for index, frame in enumerate(frames)]

    model = Counted()
    found = together(model, [steps, steps])
    assert np.array_equal([one.labels for one in masks_of(found[1])], labels)
    assert {shape[0] for _, shape in model.calls} == {2}


def test_a_clips_network_has_the_traits_and_extras_of_the_registered_one() -> None:
    with SharedNetwork(Counted(), at_once=1) as shared, shared.clip() as network:
        assert isinstance(network, Network)
        assert isinstance(network, ClipNetwork)
        assert (network.keys_from_image, dict(network.propagation_defaults)) == (True, {"top_k": 1, "memory_every": 2})
        assert [name for name, _ in network.named_parameters()] == ["network.colour_scale"]
        assert torch.equal(network.colour_scale, torch.ones(1, 3))
        assert np.array_equal(masks(network), moving_square()[1])
        with pytest.raises(AttributeError, match="not_there"):
            network.not_there  # noqa: B018


def test_a_clips_network_has_defaults_that_are_the_networks_own() -> None:
    class Own(Counted):
        propagation_defaults = {"top_k": 3}  # noqa: RUF012

    with SharedNetwork(Own(), at_once=1) as shared, shared.clip() as network:
        assert network.propagation_defaults == {"top_k": 3}
    stm = tiny_model("stm")
    with SharedNetwork(stm, at_once=1) as shared, shared.clip() as network:
        assert network.memorises_prompt_exactly
        assert not network.memorises_padding
        assert network.propagation_defaults == stm.propagation_defaults
        assert network.config == stm.config


def test_a_number_of_clips_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at_once=0 is not usable; legal: at least 1"):
        SharedNetwork(Counted(), at_once=0)
