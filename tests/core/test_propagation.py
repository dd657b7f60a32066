"""Propagation in blocks equals propagation frame by frame, whatever the clip and its prompts."""

import gc
import weakref
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stcn_core import PropagationConfig, masks, propagate
from stcn_core.config import Network as Kind
from stcn_core.frames import scaled_size
from stcn_core.propagation import NOTHING_REMOVED
from stcn_core.results import FrameMasks
from tests.core import recipe
from tests.core.reference import reference
from tests.core.tiny import tiny_model


def segment(
    frames: Collection[np.ndarray], prompts: dict[int, np.ndarray], kind: Kind = "stcn",
    removals: Mapping[int, Collection[int]] = NOTHING_REMOVED, **options: object,
) -> list[FrameMasks]:  # fmt: skip
    """Propagate with the tiny network; every result's own parts must agree."""
    config = PropagationConfig.for_network(kind, **{"short_side": None, **options})
    model = tiny_model(kind, torch.float64)
    results = list(propagate(model, frames, prompts, config, return_probabilities=True, removals=removals))
    assert [result.frame_index for result in results] == list(range(len(frames)))
    for result, frame in zip(results, frames, strict=True):
        probabilities = result.probabilities
        assert probabilities is not None
        assert probabilities.dtype == np.float32
        assert probabilities.shape == (1 + len(result.object_ids), *frame.shape[:2])
        assert list(result.object_ids) == sorted(result.object_ids)
        assert result.labels.shape == frame.shape[:2]
        planes = {0: 0, **{object_id: plane for plane, object_id in enumerate(result.object_ids, start=1)}}
        chosen = np.vectorize(planes.__getitem__, otypes=[int])(result.labels)
        of_chosen = np.take_along_axis(probabilities, chosen[None], axis=0)[0]
        assert (of_chosen >= probabilities.max(axis=0) - 1e-6).all()
    return results


def agree(results: list[FrameMasks], expected: list[dict[int, np.ndarray]]) -> None:
    """Equal to the last bits of float32, in which probabilities are returned.

    The networks compute in float64: in float32 the order of sums decides which of two nearly equal
    memory positions is among the top k, here and in the published code alike.
    """
    for result, planes in zip(results, expected, strict=True):
        assert list(result.object_ids) == sorted(i for i in planes if i)
        assert result.probabilities is not None
        assert np.abs(result.probabilities - np.stack([planes[i] for i in sorted(planes)])).max() < 1e-6


def noisy_clip(seed: int, frames: int, height: int, width: int, objects: int) -> tuple[np.ndarray, np.ndarray]:
    """A clip whose frames all differ everywhere.

    Where nothing moves, keys of two frames are equal, and which of them is among the top k is anybody's guess.
    """
    video, labels = recipe.clip(seed, frames, height, width, objects)
    noise = np.random.default_rng(seed).integers(-12, 13, video.shape)
    return np.clip(video + noise, 0, 255).astype(np.uint8), labels


@st.composite
def prompted_clips(draw: st.DrawFn) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Clips of any size, with prompts of any of their objects on any of their frames."""
    frames, height, width = draw(st.integers(1, 12)), draw(st.integers(16, 50)), draw(st.integers(16, 70))
    objects = draw(st.integers(1, 3))
    video, labels = noisy_clip(draw(st.integers(0, 99)), frames, height, width, objects)
    ids = np.array([0, *draw(st.permutations([1, 2, 300]))[:objects]])
    prompts = {}
    for frame in draw(st.sets(st.integers(0, frames - 1), min_size=1, max_size=4)):
        chosen = draw(st.sets(st.integers(1, objects)))
        prompts[frame] = ids[np.where(np.isin(labels[frame], list(chosen)), labels[frame], 0)]
    return video, prompts


@given(
    prompted_clips(),
    st.sampled_from(["stcn", "stm"]),
    st.integers(1, 6),
    st.sampled_from([None, 1, 20]),
    st.booleans(),
    st.sampled_from([(1, 1), (4, 3), (16, 64)]),
    st.dictionaries(st.integers(0, 12), st.sets(st.sampled_from([1, 2, 300]))),
)
@settings(max_examples=30, deadline=None)
def test_blocks_equal_frame_by_frame(
    clip: tuple[np.ndarray, dict[int, np.ndarray]],
    kind: Kind,
    memory_every: int,
    top_k: int | None,
    include_last: bool,
    batches: tuple[int, int],
    removals: dict[int, set[int]],
) -> None:
    frames, prompts = clip
    options: dict[str, Any] = {"memory_every": memory_every, "top_k": top_k, "include_last": include_last}
    results = segment(frames, prompts, kind, removals, **options, key_batch=batches[0], decode_batch=batches[1])
    model = tiny_model(kind, torch.float64)
    agree(results, reference(model, frames, prompts, memory_every, top_k, include_last, removals))


def clip_and_prompt(
    frames: int = 12, height: int = 40, width: int = 56, objects: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    return recipe.clip(11, frames, height, width, objects)


def test_an_object_that_is_prompted_again_is_corrected_and_others_stay() -> None:
    frames, labels = clip_and_prompt()
    again = np.zeros_like(labels[0])
    again[5:15, 8:20] = 1
    results = segment(frames, {0: labels[0], 7: again})
    assert np.array_equal(results[7].labels == 1, again == 1)
    assert all(result.object_ids == (1, 2) for result in results)
    probabilities = results[7].probabilities
    assert probabilities is not None
    assert probabilities[2][again == 0].max() > 0.1
    assert probabilities[2][again == 1].max() < 1e-3
    agree(results, reference(tiny_model("stcn", torch.float64), frames, {0: labels[0], 7: again}, 5, 20, False))


def test_an_object_that_vanishes_and_returns_keeps_its_memory() -> None:
    frames, labels = clip_and_prompt()
    frames = frames.copy()
    frames[4:8] = np.random.default_rng(0).integers(0, 256, frames[4:8].shape)  # all objects are gone
    results = segment(frames, {0: labels[0]}, memory_every=2)
    assert all(result.object_ids == (1, 2) for result in results)
    agree(results, reference(tiny_model("stcn", torch.float64), frames, {0: labels[0]}, 2, 20, False))


@pytest.mark.parametrize("kind", ["stcn", "stm"])
def test_an_object_that_is_removed_has_no_plane_until_it_is_prompted_again_and_is_new_then(kind: Kind) -> None:
    frames, labels = clip_and_prompt()
    again = np.where(labels[8] == 1, 1, 0)
    prompts, removals = {0: labels[0], 8: again}, {3: {1, 99}, 6: {2}}
    results = segment(frames, prompts, kind, removals)
    options = PropagationConfig.for_network(kind)
    model = tiny_model(kind, torch.float64)
    agree(results, reference(model, frames, prompts, 5, options.top_k, options.include_last, removals))
    assert [result.object_ids for result in results] == [(1, 2)] * 3 + [(2,)] * 3 + [()] * 2 + [(1,)] * 4
    assert not results[7].labels.any()
    from_there_on = segment(frames[8:], {0: again}, kind)
    for one, other in zip(results[8:], from_there_on, strict=True):
        assert np.array_equal(one.labels, other.labels)


def test_an_object_that_is_removed_where_it_is_prompted_begins_anew() -> None:
    frames, labels = clip_and_prompt()
    results = segment(frames, {0: labels[0], 5: labels[5]}, removals={5: {1, 2}})
    from_there_on = segment(frames[5:], {0: labels[5]})
    assert [result.object_ids for result in results] == [(1, 2)] * 12
    for one, other in zip(results[5:], from_there_on, strict=True):
        assert np.array_equal(one.labels, other.labels)


def test_an_empty_prompt_says_nothing() -> None:
    frames, labels = clip_and_prompt()
    empty = np.zeros_like(labels[0])
    with_empty = segment(frames, {0: labels[0], 3: empty})
    without = segment(frames, {0: labels[0]})
    for a, b in zip(with_empty, without, strict=True):
        assert a.probabilities is not None
        assert b.probabilities is not None
        assert np.array_equal(a.probabilities, b.probabilities)
    assert all(result.object_ids == () for result in segment(frames, {2: empty}))


def test_frames_before_the_first_prompt_have_no_objects() -> None:
    frames, labels = clip_and_prompt()
    results = segment(frames, {4: labels[4]})
    assert [len(result.object_ids) for result in results] == [0] * 4 + [2] * 8
    assert not any(result.labels.any() for result in results[:4])


def test_a_clip_of_one_frame_gives_its_prompt_back() -> None:
    frames, labels = clip_and_prompt(frames=1)
    (result,) = segment(frames, {0: labels[0]})
    assert np.array_equal(result.labels, labels[0])
    assert result.scores == pytest.approx([1, 1], abs=1e-5)


def test_ids_are_returned_as_given() -> None:
    frames, labels = clip_and_prompt()
    renamed = np.array([0, 70_000, 300])[labels[0]]
    results = segment(frames, {0: renamed})
    plain = segment(frames, {0: np.array([0, 2, 1])[labels[0]]})
    for a, b in zip(results, plain, strict=True):
        assert a.object_ids == (300, 70_000)
        assert np.array_equal(a.labels, np.array([0, 300, 70_000])[b.labels])


def test_a_prompt_comes_back_exactly_though_the_network_sees_a_smaller_frame() -> None:
    frames, labels = clip_and_prompt(frames=3, height=90, width=122)
    results = segment(frames, {0: labels[0]}, short_side=32)
    assert np.array_equal(results[0].labels, labels[0])
    assert results[2].labels.shape == (90, 122)


def test_scaling_happens_only_downwards() -> None:
    assert scaled_size(480, 854, 480) == (480, 854)
    assert scaled_size(1080, 1920, 480) == (480, 853)
    assert scaled_size(240, 426, 480) == (240, 426)
    assert scaled_size(1080, 1920, None) == (1080, 1920)


def test_scores_are_the_mean_margin_inside_the_mask() -> None:
    frames, labels = clip_and_prompt()
    for result in segment(frames, {0: labels[0]})[1:]:
        assert result.probabilities is not None
        ranked = np.sort(result.probabilities, axis=0)
        margin = ranked[-1] - ranked[-2]
        for object_id, score in zip(result.object_ids, result.scores, strict=True):
            inside = result.labels == object_id
            assert score == pytest.approx(margin[inside].mean() if inside.any() else 0, abs=1e-5)


def test_only_memory_grows_with_the_clip() -> None:
    """Frames are let go: of 200, no more than two windows are ever alive."""
    frames, labels = clip_and_prompt(frames=1)

    alive = 0

    def freed() -> None:
        nonlocal alive
        alive -= 1

    def stream() -> Iterator[np.ndarray]:
        nonlocal alive
        for _ in range(200):
            frame = frames[0].copy()
            weakref.finalize(frame, freed)
            alive += 1
            yield frame

    config = PropagationConfig(short_side=None, key_batch=8)
    most = 0
    for _ in propagate(tiny_model(), stream(), {0: labels[0]}, config):
        most = max(most, alive)
    assert most <= 2 * 12
    gc.collect()
    assert alive <= 1  # our own loop's last


@pytest.mark.parametrize(
    ("frames", "prompts", "message"),
    [
        ([np.zeros((32, 32, 3), np.uint8)], {0: np.ones((32, 31), int)}, "prompt on frame 0"),
        ([np.zeros((32, 32, 3), np.uint8)], {0: np.full((32, 32), -1)}, "integers >= 0"),
        ([np.zeros((32, 32, 3), np.uint8)], {0: np.ones((32, 32))}, "integers >= 0"),
        ([np.zeros((32, 32, 3), np.uint8)], {5: np.ones((32, 32), int)}, r"frames \[5\]"),
        ([np.zeros((32, 32), np.uint8)], {}, "uint8 \\(height, width, 3\\)"),
        ([np.zeros((32, 32, 3), np.uint8), np.zeros((32, 48, 3), np.uint8)], {}, "one size a clip"),
    ],
)
def test_what_cannot_be_segmented_is_refused(
    frames: list[np.ndarray], prompts: dict[int, np.ndarray], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        list(propagate(tiny_model(), frames, prompts, PropagationConfig()))


def test_state_does_not_leak_between_clips() -> None:
    frames, labels = clip_and_prompt()
    first = segment(frames, {0: labels[0]})
    segment(frames[::-1].copy(), {0: labels[-1]})
    second = segment(frames, {0: labels[0]})
    assert all(torch.equal(*map(torch.from_numpy, (a.labels, b.labels))) for a, b in zip(first, second, strict=True))


def test_frames_that_were_scaled_down_already_give_results_at_the_prompts_size() -> None:
    frames, labels = clip_and_prompt(height=64, width=96)
    model = tiny_model("stcn", torch.float64)
    config = PropagationConfig(short_side=32)
    small = np.stack([_scaled(frame, (32, 48)) for frame in frames])
    prompts = {0: labels[0], 7: np.where(labels[7] == 2, 2, 0)}
    late = list(propagate(model, frames, prompts, config, return_probabilities=True))
    early = list(propagate(model, small, prompts, config, return_probabilities=True, size=(64, 96)))
    for one, other in zip(late, early, strict=True):
        assert one.probabilities is not None
        assert other.probabilities is not None
        assert one.labels.shape == other.labels.shape == (64, 96)
        # Frames that come scaled are rounded to 8 bits once more.
        assert np.abs(one.probabilities - other.probabilities).mean() < 0.02
    assert np.array_equal(early[7].labels == 2, labels[7] == 2)


def _scaled(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    planes = torch.from_numpy(frame).permute(2, 0, 1)[None].float()
    return masks.resize(planes, size)[0].permute(1, 2, 0).round().byte().numpy()


def test_a_prompt_that_has_not_the_results_size_is_refused() -> None:
    frames, labels = clip_and_prompt()
    with pytest.raises(ValueError, match="legal: the same size"):
        list(propagate(tiny_model(), frames, {0: labels[0]}, PropagationConfig(), size=(80, 112)))


@pytest.mark.parametrize("method", ["encode_query", "segment"])
def test_out_of_gpu_memory_goes_on_in_smaller_batches_and_says_so(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A network that refuses batches of more than 2, as a full GPU would."""
    frames, labels = clip_and_prompt(frames=14)
    expected = segment(frames, {0: labels[0]})
    model = tiny_model("stcn", torch.float64)
    compute, sizes = getattr(model, method), []

    def refuse(x: torch.Tensor, *others: object) -> object:
        sizes.append(x.shape[0] * (x.shape[1] if method == "segment" else 1))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(x, *others)

    monkeypatch.setattr(model, method, refuse)
    for one, other in zip(segment(frames, {0: labels[0]}), expected, strict=True):
        assert np.array_equal(one.labels, other.labels)
    assert len([size for size in sizes if size > 2]) <= 4  # it remembers
    assert "out of GPU memory" in caplog.text


def test_a_single_frame_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    frames, labels = clip_and_prompt()
    monkeypatch.setattr(tiny_model("stcn", torch.float64), "encode_query", refuse)
    with pytest.raises(torch.OutOfMemoryError):
        segment(frames, {0: labels[0]})
