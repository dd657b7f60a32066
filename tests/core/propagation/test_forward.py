"""Propagation in blocks equals propagation frame by frame, whatever the clip and its prompts."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stcn_core import PropagationConfig
from tests.core.clips import agree, clip_and_prompt, prompted_clips, segment
from tests.core.reference import reference
from tests.core.tiny import tiny_model


@pytest.mark.heavy
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
    kind: str,
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
def test_an_object_that_is_removed_has_no_plane_until_it_is_prompted_again_and_is_new_then(kind: str) -> None:
    frames, labels = clip_and_prompt()
    again = np.where(labels[8] == 1, 1, 0)
    prompts, removals = {0: labels[0], 8: again}, {3: {1, 99}, 6: {2}}
    results = segment(frames, prompts, kind, removals)
    model = tiny_model(kind, torch.float64)
    options = PropagationConfig.for_model(model)
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


def test_empty_prompt_changes_nothing() -> None:
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


def test_object_ids_are_returned_as_given() -> None:
    frames, labels = clip_and_prompt()
    renamed = np.array([0, 70_000, 300])[labels[0]]
    results = segment(frames, {0: renamed})
    plain = segment(frames, {0: np.array([0, 2, 1])[labels[0]]})
    for a, b in zip(results, plain, strict=True):
        assert a.object_ids == (300, 70_000)
        assert np.array_equal(a.labels, np.array([0, 300, 70_000])[b.labels])


def test_scores_are_the_mean_margin_inside_the_mask() -> None:
    frames, labels = clip_and_prompt()
    for result in segment(frames, {0: labels[0]})[1:]:
        assert result.probabilities is not None
        ranked = np.sort(result.probabilities, axis=0)
        margin = ranked[-1] - ranked[-2]
        for object_id, score in zip(result.object_ids, result.scores, strict=True):
            inside = result.labels == object_id
            assert score == pytest.approx(margin[inside].mean() if inside.any() else 0, abs=1e-5)


def test_no_state_leaks_between_clips() -> None:
    frames, labels = clip_and_prompt()
    first = segment(frames, {0: labels[0]})
    segment(frames[::-1].copy(), {0: labels[-1]})
    second = segment(frames, {0: labels[0]})
    assert all(torch.equal(*map(torch.from_numpy, (a.labels, b.labels))) for a, b in zip(first, second, strict=True))
