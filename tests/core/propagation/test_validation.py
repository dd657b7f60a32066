"""`propagate` refuses a mistake where it is made, and copies what could change while frames come."""

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from stcn_core import FrameMasks, PropagationConfig, propagate
from tests.core.clips import clip_and_prompt
from tests.core.tiny import tiny_model

FRAMES, LABELS = clip_and_prompt()
CONFIG = PropagationConfig(short_side=None)


def assert_equal(found: list[FrameMasks], expected: list[FrameMasks]) -> None:
    assert [result.object_ids for result in found] == [result.object_ids for result in expected]
    assert all(np.array_equal(a.labels, b.labels) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "stcn-mini"}, TypeError, "model is 'stcn-mini', of type str; legal: a network, as load_model"),
        ({"model": copy.deepcopy(tiny_model()).train()}, ValueError, "in training mode; legal: model.eval()"),
        ({"prompts": LABELS[0]}, TypeError, "prompts are uint8 .*; legal: a mapping from frame index to label map"),
        ({"prompts": {-1: LABELS[0]}}, ValueError, "prompts have the key -1; legal: .* integers >= 0"),
        ({"prompts": {"0": LABELS[0]}}, ValueError, "prompts have the key '0'; legal:"),
        ({"prompts": {True: LABELS[0]}}, ValueError, "prompts have the key True; legal:"),
        ({"prompts": {0: LABELS[0] > 0}}, ValueError, r"is bool .*: a mask of one object is mask.astype\(np.uint8\)"),
        ({"prompts": {0: LABELS[0] / 2}}, ValueError, "the prompt on frame 0 is float64 .*; legal: integers >= 0"),
        ({"prompts": {0: LABELS[:1]}}, ValueError, r"is \w+ \(1, 40, 56\); legal: integers >= 0, \(height, width\)"),
        ({"prompts": {0: [[1, 0]]}}, ValueError, "the prompt on frame 0 is .*, of type list; legal: integers >= 0"),
        ({"prompts": {0: LABELS[0].astype(int) - 1}}, ValueError, "has labels -1 to 1; legal: integers >= 0"),
        ({"prompts": {0: LABELS[0].astype(int) << 40}}, ValueError, r"legal: integers >= 0, < 2\*\*31"),
        ({"prompts": {0: LABELS[0], 3: LABELS[3][1:]}}, ValueError, r"frame 3 is \(39, 56\); legal: the same size"),
        ({"prompts": {12: LABELS[0]}}, ValueError, r"prompts on frames \[12\], but the clip has frames 0 to 11"),
        ({"size": (80, 112)}, ValueError, r"frame 0 is \(40, 56\); legal: the same size .*\(80, 112\)"),
        ({"removals": {1, 2}}, TypeError, "removals are {1, 2}, of type set; legal: a mapping"),
        ({"removals": {0: 1}}, ValueError, "the removal on frame 0 is 1; legal: a collection of object ids"),
        ({"removals": {0.5: [1]}}, ValueError, "removals have the key 0.5; legal:"),
        ({"config": {"memory_every": 3}}, TypeError, "config is .*, of type dict; legal: a PropagationConfig, or None"),
        (
            {"config": PropagationConfig(memory_policy="oldest")},
            ValueError,
            "memory_policy='oldest' is not usable; legal: recent, spread, used",
        ),
        ({"size": 480}, ValueError, r"size=480 is not usable; legal: \(height, width\) in pixels"),
        ({"memory_read": None}, TypeError, "memory_read is None, of type NoneType; legal: a callable"),
        ({"frames": "video.mp4"}, TypeError, "frames are 'video.mp4', of type str; legal: an iterable of frames"),
        ({"frames": 5}, TypeError, "frames are 5, of type int; legal: an iterable of frames, each uint8"),
        ({"frames": FRAMES[0]}, ValueError, r"frames are uint8 \(40, 56, 3\); legal: \(frames, height, width, 3\)"),
    ],
)
def test_illegal_argument_raises_at_the_call(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    call: dict[str, Any] = {"model": tiny_model(), "frames": FRAMES, "prompts": {0: LABELS[0]}} | arguments
    with pytest.raises(error, match=message):
        propagate(call.pop("model"), call.pop("frames"), call.pop("prompts"), **call)


def test_an_unknown_similarity_is_refused_by_the_call() -> None:
    model = copy.deepcopy(tiny_model())
    model.config = dataclasses.replace(model.config, similarity="l1")
    with pytest.raises(ValueError, match="similarity='l1' is not usable; legal: l2, cosine, dot"):
        propagate(model, FRAMES, {0: LABELS[0]})


def test_changes_after_the_call_have_no_effect() -> None:
    prompts, removals = {0: LABELS[0].copy(), 6: np.where(LABELS[6] == 2, 2, 0)}, {4: {2}}
    expected = list(propagate(tiny_model(), FRAMES, dict(prompts), config=CONFIG, removals={4: {2}}))
    results = propagate(tiny_model(), iter(FRAMES), prompts, config=CONFIG, removals=removals)
    prompts[0][:] = 7
    found = [next(results)]
    prompts[6][:] = 0
    prompts[8] = LABELS[8]
    removals[4].add(1)
    removals[9] = {1}
    assert_equal(found + list(results), expected)


def test_the_config_may_be_left_to_the_model() -> None:
    model = tiny_model("stm")
    expected = propagate(model, FRAMES, {0: LABELS[0]}, config=PropagationConfig.for_model(model))
    assert_equal(list(propagate(model, FRAMES, {0: LABELS[0]})), list(expected))


def test_frames_and_prompts_may_be_tensors() -> None:
    expected = list(propagate(tiny_model(), FRAMES, {0: LABELS[0]}, config=CONFIG))
    images = torch.from_numpy(FRAMES).permute(0, 3, 1, 2)
    assert_equal(list(propagate(tiny_model(), images, {0: torch.from_numpy(LABELS[0])}, config=CONFIG)), expected)


class Reader:
    """Frames that can only be indexed, as of a video reader that seeks; which were asked for, in order."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(FRAMES)

    def __getitem__(self, index: int, /) -> np.ndarray:
        self.asked.append(index)
        frame: np.ndarray = FRAMES[index]
        return frame


def test_frames_that_can_be_indexed_go_both_ways() -> None:
    prompts = {3: LABELS[3], 9: np.where(LABELS[9] == 1, 1, 0)}
    config = dataclasses.replace(CONFIG, direction="both")
    expected = list(propagate(tiny_model(), iter(FRAMES), prompts, config=config, frames_backward=FRAMES[9::-1]))
    reader = Reader()
    results = propagate(tiny_model(), reader, prompts, config=config)
    assert reader.asked == []  # the call itself takes no frame
    assert_equal(list(results), expected)
    assert reader.asked == [*range(9, -1, -1), *range(12)]
    assert_equal(list(propagate(tiny_model(), list(FRAMES), prompts, config=config)), expected)


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_a_stream_that_only_goes_forward_is_refused_by_the_call(direction: Any) -> None:
    def stream() -> Iterator[np.ndarray]:
        yield from FRAMES

    config = dataclasses.replace(CONFIG, direction=direction)
    with pytest.raises(ValueError, match=r"type generator cannot be indexed; legal: a sequence .*frames_backward="):
        propagate(tiny_model(), stream(), {0: LABELS[0]}, config=config)
