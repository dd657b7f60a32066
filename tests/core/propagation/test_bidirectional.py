"""Backward and both ways: the mirror image of forward, exact where masks are given, and no frame is held."""

import gc
import weakref
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stcn_core import PropagationConfig, for_inference, load_model, propagate
from stcn_core.config import Direction
from stcn_core.metrics import region_similarity
from stcn_core.propagation.bidirectional import run_backward_pass
from stcn_core.propagation.plane_stack import StackedPlanes
from stcn_core.propagation.results import FrameMasks
from stcn_core.propagation.validation import NOTHING_REMOVED
from stcn_core.synthetic.clips import draw_clip
from tests.core.clips import clip_and_prompt
from tests.core.tiny import tiny_model

IN_8_BITS = 1.5 / 255  # what a probability may lose while it waits for the other direction
Removals = Mapping[int, Collection[int]]


def segment(
    frames: np.ndarray, prompts: Mapping[int, np.ndarray], direction: Direction, removals: Removals = NOTHING_REMOVED
) -> list[FrameMasks]:
    config = PropagationConfig(short_side=None, direction=direction)
    back = frames[max(prompts) :: -1]
    results = list(
        propagate(
            tiny_model(),
            frames,
            prompts,
            config=config,
            frames_backward=back,
            return_probabilities=True,
            removals=removals,
        )
    )
    assert [result.frame_index for result in results] == list(range(len(frames)))
    return results


def assert_close(results: list[FrameMasks], expected: list[FrameMasks], most: float = IN_8_BITS) -> None:
    for one, other in zip(results, expected, strict=True):
        assert one.object_ids == other.object_ids
        assert one.probabilities is not None
        assert other.probabilities is not None
        assert np.abs(one.probabilities - other.probabilities).max() <= most


def test_one_prompt_on_the_first_frame_gives_what_forward_gives() -> None:
    frames, labels = clip_and_prompt()
    config = PropagationConfig(short_side=None)
    expected = list(propagate(tiny_model(), frames, {0: labels[0]}, config=config, return_probabilities=True))
    assert_close(segment(frames, {0: labels[0]}, "both"), expected, most=0)
    assert_close(segment(frames, {0: labels[0]}, "forward"), expected, most=0)


def test_backward_is_forward_over_the_clip_turned_round() -> None:
    frames, labels = clip_and_prompt()
    prompts = {11: labels[11], 6: np.where(labels[6] == 1, 1, 0)}
    mirrored = {11 - index: prompt for index, prompt in prompts.items()}
    turned = segment(frames[::-1].copy(), mirrored, "forward")[::-1]
    assert_close(segment(frames, prompts, "backward"), turned)


def test_reversed_clip_gives_the_same_masks_in_both_directions() -> None:
    frames, labels = clip_and_prompt()
    prompts = {2: labels[2], 6: np.where(labels[6] == 1, 1, 0), 9: labels[9]}
    mirrored = {11 - index: prompt for index, prompt in prompts.items()}
    turned = segment(frames[::-1].copy(), mirrored, "both")[::-1]
    assert_close(segment(frames, prompts, "both"), turned, most=4 * IN_8_BITS)


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_masks_come_back_exactly_where_they_were_given(direction: Direction) -> None:
    frames, labels = clip_and_prompt(height=90, width=122)
    prompts = {3: labels[3], 6: np.where(labels[6] == 2, 2, 0), 10: labels[10]}
    config = PropagationConfig(short_side=32, direction=direction)
    results = list(propagate(tiny_model(), frames, prompts, config=config))
    assert np.array_equal(results[3].labels, labels[3])
    assert np.array_equal(results[6].labels == 2, labels[6] == 2)
    assert np.array_equal(results[10].labels, labels[10])


def test_objects_are_on_the_side_of_their_prompts() -> None:
    frames, labels = clip_and_prompt()
    prompts = {4: np.where(labels[4] == 1, 1, 0), 7: np.where(labels[7] == 2, 2, 0)}
    ids = {d: [result.object_ids for result in segment(frames, prompts, d)] for d in ("forward", "backward", "both")}
    assert ids["forward"] == [()] * 4 + [(1,)] * 3 + [(1, 2)] * 5
    assert ids["backward"] == [(1, 2)] * 5 + [(2,)] * 3 + [()] * 4
    assert ids["both"] == [(1, 2)] * 12


@st.composite
def stories(draw: st.DrawFn) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """Which objects are prompted, and which are removed, on frames of a clip of 12."""
    events = st.dictionaries(st.integers(0, 11), st.sets(st.sampled_from([1, 2]), min_size=1), max_size=4)
    return draw(events.filter(bool)), draw(events)


def known(prompted: set[int], removed: set[int], frames: int) -> dict[Direction, set[int]]:
    """The frames that one object is on, said plainly: its clip falls into stretches between removals and prompts."""
    starts = {0} | {min([q for q in prompted if q >= r], default=frames) for r in removed}
    ends = {r: min([q for q in prompted if q >= r], default=frames) for r in removed}
    absent = {t for r, q in ends.items() for t in range(r, q)}
    found: dict[Direction, set[int]] = {"forward": set(), "backward": set(), "both": set()}
    for start, end in pairwise(sorted(starts | set(removed) | {frames})):
        own = [q for q in prompted if start <= q < end]
        if own:
            found["forward"] |= set(range(min(own), end))
            found["backward"] |= set(range(start, max(own) + 1))
            found["both"] |= set(range(start, end))
    return {direction: there - absent for direction, there in found.items()}


@pytest.mark.heavy
@given(stories(), st.sampled_from(["forward", "backward", "both"]))
@settings(max_examples=40, deadline=None)
def test_an_object_that_is_removed_is_gone_until_it_is_prompted_again(
    story: tuple[dict[int, set[int]], dict[int, set[int]]], direction: Direction
) -> None:
    frames, _ = clip_and_prompt(height=16, width=32)
    prompts = {t: np.zeros((16, 32), int) for t in story[0]}
    for t, ids in story[0].items():
        for object_id in ids:
            prompts[t][:8, 8 * object_id :] = object_id
    results = segment(frames, prompts, direction, story[1])
    expected = {
        i: known({t for t, ids in story[0].items() if i in ids}, {t for t, ids in story[1].items() if i in ids}, 12)
        for i in (1, 2)
    }
    for t, result in enumerate(results):
        assert result.object_ids == tuple(i for i in (1, 2) if t in expected[i][direction])


@pytest.mark.heavy
def test_between_two_prompts_both_sides_are_better_than_either() -> None:
    """By 0.023 here, on the mean of 20 clips, none of which alone would say much."""
    model = for_inference(load_model("stcn-mini"))
    scores: dict[str, list[float]] = {"forward": [], "backward": [], "both": []}
    for number in range(20):
        clip = draw_clip(2**41 + number, range(24), 120, width=213, objects=1)
        truth = clip.labels.astype(int)
        for direction in scores:
            config = PropagationConfig.for_model(model, direction=direction)
            prompts = {0: truth[0], 23: truth[23]}
            results = propagate(model, clip.frames, prompts, config=config)
            pairs = [(result.labels == 1, truth[t] == 1) for t, result in enumerate(results) if 0 < t < 23]
            scores[direction] += [float(region_similarity(mask, true)) for mask, true in pairs]
    forward, backward, both = (float(np.mean(values)) for values in scores.values())
    assert both >= max(forward, backward) + 0.02


class Alive:
    """Frames of a clip, and how many of them are held at once at most."""

    def __init__(self, frame: np.ndarray, frames: int) -> None:
        self._frame, self._frames = frame, frames
        self._now = self.most = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for _ in range(self._frames):
            frame = self._frame.copy()
            weakref.finalize(frame, self._freed)
            self._now += 1
            self.most = max(self.most, self._now)
            yield frame

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, index: int, /) -> np.ndarray:
        return next(iter(self))

    def _freed(self) -> None:
        self._now -= 1


@pytest.mark.heavy
@pytest.mark.parametrize("back", ["streamed", "indexed"])
def test_no_direction_holds_all_frames_of_a_clip(back: str) -> None:
    frames, labels = clip_and_prompt(frames=1)
    onward = Alive(frames[0], 200)
    backward = Alive(frames[0], 200) if back == "streamed" else None
    config = PropagationConfig(short_side=None, direction="both")
    for _ in propagate(tiny_model(), onward, {0: labels[0], 199: labels[0]}, config=config, frames_backward=backward):
        gc.collect(0)
    assert max(alive.most for alive in (onward, backward) if alive) <= 2 * 12 + 1


def test_the_backward_pass_says_how_far_it_is() -> None:
    frames, labels = clip_and_prompt()
    stack: list[StackedPlanes] = []
    config = PropagationConfig(short_side=None, direction="both")
    done = run_backward_pass(tiny_model(), frames[8::-1], {8: labels[8], 11: labels[8] * 0}, config=config, stack=stack)
    assert list(done) == [planes.frame_index for planes in stack] == list(range(8, -1, -1))
    assert {planes.planes.dtype for planes in stack} == {np.dtype(np.uint8)}


def test_what_cannot_go_backward_is_refused_by_its_own_number() -> None:
    frames, labels = clip_and_prompt()
    config = PropagationConfig(direction="both")

    def refuse(message: str, back: np.ndarray, prompts: Mapping[int, np.ndarray]) -> None:
        with pytest.raises(ValueError, match=message):
            list(propagate(tiny_model(), frames, prompts, config=config, frames_backward=back))

    refuse("frames backward are missing from 3 down; legal: all from frame 8 down to 0", frames[8:3:-1], {8: labels[8]})
    refuse("the prompt on frame 5 is", frames[8::-1], {8: labels[8], 5: labels[5][1:]})
    with pytest.raises(ValueError, match="direction='both' goes backward, and frames of type list_iterator cannot be"):
        propagate(tiny_model(), iter(list(frames)), {0: labels[0]}, config=config)
    with pytest.raises(ValueError, match="direction='up' is not usable; legal:"):
        PropagationConfig(direction="up")  # type: ignore[arg-type]
