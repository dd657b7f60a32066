"""A session, frame by frame, gives the masks of `propagate`, which sees the clip and its prompts in advance."""

import copy
import dataclasses
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stcn_core import PropagationConfig, Session
from stcn_core.models.checkpoint import build_like
from tests.core.clips import clip_and_prompt, prompted_clips, segment
from tests.core.tiny import tiny_model

CONFIG = PropagationConfig(short_side=None)
TOLERANCE = 1e-6  # of probabilities, as between blocks of different sizes


@given(
    prompted_clips(),
    st.sampled_from(["stcn", "stm"]),
    st.integers(1, 6),
    st.sampled_from([None, 1, 20]),
    st.booleans(),
    st.sampled_from([None, 2, 3]),
    st.dictionaries(st.integers(0, 12), st.sets(st.sampled_from([1, 2, 300]))),
)
@settings(max_examples=30, deadline=None)
def test_a_session_equals_propagation(
    clip: tuple[np.ndarray, dict[int, np.ndarray]],
    kind: str,
    memory_every: int,
    top_k: int | None,
    include_last: bool,
    max_memory_frames: int | None,
    removals: dict[int, set[int]],
) -> None:
    frames, prompts = clip
    options: dict[str, Any] = {
        "memory_every": memory_every,
        "top_k": top_k,
        "include_last": include_last,
        "max_memory_frames": max_memory_frames,
    }
    expected = segment(frames, prompts, kind, removals, **options)
    model = tiny_model(kind, torch.float64)
    config = PropagationConfig.for_model(model, short_side=None, **options)
    session = Session(model, config, return_probabilities=True)
    for index, frame in enumerate(frames):
        assert session.frame_index == index
        result = session.step(frame, prompts.get(index), remove=removals.get(index, ()))
        assert result.frame_index == index
        assert result.object_ids == session.object_ids == expected[index].object_ids
        assert np.array_equal(result.labels, expected[index].labels)
        assert result.probabilities is not None
        assert np.abs(result.probabilities - expected[index].probabilities).max() < TOLERANCE


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_tensor_results_equal_array_results(library: Literal["numpy", "torch"]) -> None:
    frames, labels = clip_and_prompt()
    arrays = Session(tiny_model(), CONFIG, return_probabilities=True)
    tensors = Session(tiny_model(), CONFIG, output="torch")
    prompts = {2: np.array([0, 70_000, 300])[labels[2]], 7: np.where(labels[7] == 1, 5, 0)}
    for index, frame in enumerate(frames):
        prompt = prompts.get(index)
        one = arrays.step(frame, prompt)
        if library == "torch":
            given_prompt = None if prompt is None else torch.from_numpy(prompt)
            other = tensors.step(torch.from_numpy(frame).permute(2, 0, 1), given_prompt)
        else:
            other = tensors.step(frame, prompt)
        assert one.object_ids == other.object_ids
        assert other.labels.dtype == torch.int32
        assert np.array_equal(one.labels, other.labels.numpy())
        assert one.probabilities is not None
        assert np.array_equal(one.probabilities, other.probabilities.numpy())
        assert np.array_equal(one.scores, other.scores.numpy())
        assert np.array_equal(one.stability, other.stability.numpy())


@pytest.mark.parametrize("policy", ["recent", "spread"])
def test_a_session_with_tensors_never_waits_for_the_device(policy: str) -> None:
    """On the meta device tensors have no values: whatever asked for one, or copied it to the host, would fail."""
    frames, labels = clip_and_prompt()
    model = copy.deepcopy(tiny_model()).to("meta")
    config = PropagationConfig(short_side=None, memory_every=2, max_memory_frames=2, memory_policy=policy)
    session = Session(model, config, output="torch")
    for index, frame in enumerate(frames):
        image = torch.from_numpy(frame).permute(2, 0, 1).to("meta")
        result = session.step(image, {1: labels[1], 5: labels[5]}.get(index))
        assert result.labels.device.type == result.scores.device.type == "meta"
        assert result.probabilities.shape == (1 + 2 * (index >= 1), 40, 56)
    with pytest.raises(NotImplementedError, match="meta"):  # so the test can fail
        Session(model, config).step(frames[0])


def test_a_prompt_may_change_after_it_was_given() -> None:
    frames, labels = clip_and_prompt()
    expected = segment(frames, {0: labels[0]})
    session = Session(tiny_model("stcn", torch.float64), CONFIG)
    prompt = labels[0].copy()
    assert np.array_equal(session.step(frames[0], prompt).labels, labels[0])
    prompt[:] = 0
    assert np.array_equal(session.step(frames[1]).labels, expected[1].labels)


def test_the_first_prompt_fixes_the_size_that_the_network_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tiny_model()
    model, sizes = build_like(plain, dict(plain.state_dict())), []
    model.config = dataclasses.replace(plain.config, object_positions=9)
    encode = model.encode_query

    def watched(images: torch.Tensor) -> object:
        sizes.append(tuple(images.shape[-2:]))
        return encode(images)

    monkeypatch.setattr(model, "encode_query", watched)
    frames, _ = clip_and_prompt()
    large, small = np.ones((40, 56), int), np.zeros((40, 56), int)
    small[:6, :6] = 2
    session = Session(model)
    for index, frame in enumerate(frames[:4]):
        session.step(frame, {0: large, 2: small}.get(index))
    assert sizes == [(48, 64)] * 4


def test_a_refused_step_leaves_the_session_as_it_was() -> None:
    frames, labels = clip_and_prompt()
    session = Session(tiny_model(), CONFIG)
    session.step(frames[0], labels[0])
    refused: list[tuple[Any, Any, Any, str]] = [
        (frames[1][:, :50], None, (), "frame 1 is uint8 (40, 50, 3), those before it uint8 (40, 56, 3); legal: one"),
        (torch.from_numpy(frames[1]), None, (), "frame.permute(2, 0, 1) is legal"),
        (frames[1].transpose(2, 0, 1), None, (), "frame.transpose(1, 2, 0) is legal"),
        (frames[1] / 255, None, (), "frame 1 is float64 (40, 56, 3); legal: uint8"),
        ("video.mp4", None, (), "frame 1 is 'video.mp4', of type str; legal: uint8"),
        (frames[1], labels[1][1:], (), "the prompt on frame 1 is (39, 56); legal: the same size"),
        (frames[1], labels[1] > 0, (), "mask.astype(np.uint8)"),
        (frames[1], torch.from_numpy(labels[1] - 1.0), (), "is float64 (40, 56); legal: integers >= 0"),
        (frames[1], None, 1, "remove is 1; legal: a collection of object ids"),
        (frames[1], None, (0,), "remove is (0,); legal: a collection of object ids, which are integers > 0"),
    ]
    for frame, prompt, remove, message in refused:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is compared
            session.step(frame, prompt, remove=remove)
        assert message in str(caught.value)
        assert session.frame_index == 1
    expected = Session(tiny_model(), CONFIG)
    expected.step(frames[0], labels[0])
    assert np.array_equal(session.step(frames[1]).labels, expected.step(frames[1]).labels)


def test_a_session_only_goes_forward_and_returns_arrays_or_tensors() -> None:
    with pytest.raises(ValueError, match="direction='both' needs later frames; legal in a session: 'forward'"):
        Session(tiny_model(), PropagationConfig(direction="both"))
    with pytest.raises(ValueError, match="output='jax' is not usable; legal: numpy, torch"):
        Session(tiny_model(), output="jax")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="model is 'stcn-mini', of type str; legal: a network"):
        Session("stcn-mini")  # type: ignore[call-overload]
