"""Small objects are seen enlarged by networks that ask for it, and the masks come back at the frames' own size."""

import dataclasses

import numpy as np
import pytest
import torch

from stcn_core import PropagationConfig, propagate
from stcn_core.config import ModelConfig
from stcn_core.masks import resize_images
from stcn_core.models.checkpoint import build_like
from stcn_core.models.network import Network
from stcn_core.models.stm import STM_PUBLISHED
from stcn_core.propagation.forward import propagate_planes
from stcn_core.propagation.input_size import input_size
from tests.core.clips import clip_and_prompt
from tests.core.tiny import tiny_model


def prompt(*sides: int, height: int = 200, width: int = 400) -> np.ndarray:
    """Squares of those sides, in pixels, side by side, with ids that count from 1."""
    labels, left = np.zeros((height, width), np.int32), 0
    for object_id, side in enumerate(sides, start=1):
        labels[:side, left : left + side] = object_id
        left += side
    return labels


def seen(
    prompts: dict[int, np.ndarray], frame: tuple[int, int] = (200, 400), short_side: int | None = None,
    positions: int | None = 9,
) -> tuple[int, int]:  # fmt: skip
    return input_size(frame, prompts, short_side, object_positions=positions)


def test_published_networks_see_frames_as_they_are() -> None:
    assert ModelConfig().object_positions is None
    assert STM_PUBLISHED.object_positions is None
    assert seen({0: prompt(2)}, positions=None) == (200, 400)
    assert seen({0: prompt(2)}, positions=None, short_side=100) == (100, 200)


@pytest.mark.parametrize(
    ("side", "expected"),
    [(48, (200, 400)), (100, (200, 400)), (32, (300, 600)), (40, (240, 480)), (24, (400, 800)), (1, (400, 800))],
)
def test_an_object_gets_nine_positions_if_twice_the_size_is_enough(side: int, expected: tuple[int, int]) -> None:
    assert seen({0: prompt(side)}) == expected


def test_the_smallest_object_decides_by_its_largest_prompt() -> None:
    assert seen({0: prompt(60, 32)}) == (300, 600)
    assert seen({0: prompt(60, 24), 9: prompt(60, 32)}) == (300, 600)
    assert seen({0: prompt(60), 9: prompt(0, 32)}) == (300, 600)


def test_nothing_prompted_enlarges_nothing() -> None:
    assert seen({}) == seen({0: prompt()}) == (200, 400)


def test_frames_are_not_enlarged_beyond_the_bounds() -> None:
    assert seen({0: prompt(24)}, short_side=250) == (250, 500)
    assert seen({0: prompt(24)}, short_side=200) == (200, 400)
    assert seen({0: prompt(8)}, frame=(1080, 1920), short_side=480) == (480, 853)
    assert seen({0: prompt(8)}, frame=(360, 720)) == (480, 960)
    assert seen({0: prompt(8)}, frame=(1080, 1920)) == (1080, 1920)


def test_frames_that_came_scaled_down_are_taken_by_the_share_of_the_prompt() -> None:
    assert seen({0: prompt(64, height=400, width=800)}) == (300, 600)


def needing(positions: int) -> Network:
    """The tiny network, with another need."""
    model = tiny_model("stcn", torch.float32)
    other = build_like(model, dict(model.state_dict()))
    other.config = dataclasses.replace(model.config, object_positions=positions)
    return other


def test_the_network_sees_larger_frames_and_the_masks_have_the_frames_size(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, labels = clip_and_prompt()
    small = np.where(labels[0] == 1, 1, 0)
    model, sizes = needing(int((small == 1).sum() * 2.25 / 256 + 0.5)), set()
    encode = model.encode_query

    def watched(images: torch.Tensor) -> object:
        sizes.add(tuple(images.shape[-2:]))
        return encode(images)

    monkeypatch.setattr(model, "encode_query", watched)
    results = list(propagate(model, frames, {0: small}, config=PropagationConfig(), return_probabilities=True))
    assert len(sizes) == 1
    height, width = sizes.pop()
    assert height > 40 + 8
    assert width > 56 + 8
    assert np.array_equal(results[0].labels, small)
    assert all(result.labels.shape == (40, 56) for result in results)


def test_planes_are_enlarged_on_every_frame_also_before_the_first_prompt() -> None:
    frames, labels = clip_and_prompt()
    blocks = propagate_planes(needing(50), frames, {7: labels[7]}, config=PropagationConfig())
    assert [tuple(one.planes.shape[-2:]) for block in blocks for one in block] == [(80, 112)] * 12


def test_images_are_enlarged_without_blur_and_stay_images() -> None:
    """A step keeps more of its height than between bilinear neighbours, and nothing leaves 0 to 1."""
    step = torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 1
    row = resize_images(step, (16, 16))[0, 0, 0]
    assert row.min() == 0
    assert row.max() == 1
    assert row[8] > 0.75 + 0.01  # what bilinear gives next to the edge
    assert torch.equal(resize_images(step, (8, 8)), step)
