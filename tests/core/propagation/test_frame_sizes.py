"""Frames of any size, clips of any length and GPUs of any memory; what cannot be segmented is refused."""

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from stcn_core import PropagationConfig, masks, propagate
from stcn_core.frames import scaled_size
from tests.core.clips import clip_and_prompt, segment
from tests.core.tiny import tiny_model


def test_a_prompt_comes_back_exactly_though_the_network_sees_a_smaller_frame() -> None:
    frames, labels = clip_and_prompt(frames=3, height=90, width=122)
    results = segment(frames, {0: labels[0]}, short_side=32)
    assert np.array_equal(results[0].labels, labels[0])
    assert results[2].labels.shape == (90, 122)


def test_frames_are_only_scaled_down() -> None:
    assert scaled_size(480, 854, 480) == (480, 854)
    assert scaled_size(1080, 1920, 480) == (480, 853)
    assert scaled_size(240, 426, 480) == (240, 426)
    assert scaled_size(1080, 1920, None) == (1080, 1920)


@pytest.mark.heavy
def test_frames_are_released_while_a_clip_runs() -> None:
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
    for _ in propagate(tiny_model(), stream(), {0: labels[0]}, config=config):
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
        list(propagate(tiny_model(), frames, prompts, config=PropagationConfig()))


def test_frames_that_were_scaled_down_already_give_results_at_the_prompts_size() -> None:
    frames, labels = clip_and_prompt(height=64, width=96)
    model = tiny_model("stcn", torch.float64)
    config = PropagationConfig(short_side=32)
    small = np.stack([_scaled(frame, (32, 48)) for frame in frames])
    prompts = {0: labels[0], 7: np.where(labels[7] == 2, 2, 0)}
    late = list(propagate(model, frames, prompts, config=config, return_probabilities=True))
    early = list(propagate(model, small, prompts, config=config, return_probabilities=True, size=(64, 96)))
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
        list(propagate(tiny_model(), frames, {0: labels[0]}, config=PropagationConfig(), size=(80, 112)))


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
