"""What the tests of propagation share."""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from hypothesis import strategies as st

from stcn_core import PropagationConfig, propagate
from stcn_core.propagation.results import FrameMasks
from stcn_core.propagation.validation import NOTHING_REMOVED
from stcn_core.yuv import Colours, YuvFrame, packed_bytes, split_planes
from tests.core import recipe
from tests.core.tiny import tiny_model


def segment(
    frames: Collection[np.ndarray], prompts: dict[int, np.ndarray], kind: str = "stcn",
    removals: Mapping[int, Collection[int]] = NOTHING_REMOVED, **options: object,
) -> list[FrameMasks]:  # fmt: skip
    """Propagate with the tiny network; every result's own parts must agree."""
    model = tiny_model(kind, torch.float64)
    config = PropagationConfig.for_model(model, **{"short_side": None, **options})
    results = list(propagate(model, frames, prompts, config=config, return_probabilities=True, removals=removals))
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


def clip_and_prompt(
    frames: int = 12, height: int = 40, width: int = 56, objects: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    return recipe.clip(11, frames, height, width, objects)


BT601 = Colours(0.299, 0.114)


def as_planes(image: np.ndarray, colours: Colours = BT601) -> YuvFrame:
    """An RGB image in luma and chroma: of four pixels, chroma is the first one's."""
    height, width = image.shape[:2]
    packed = np.empty(packed_bytes(height, width), np.uint8)
    y, u, v = split_planes(packed, height, width)
    red, green, blue = np.moveaxis(image.astype(float), 2, 0)
    light = colours.red * red + (1 - colours.red - colours.blue) * green + colours.blue * blue  # 0 to 255
    weights = colours.weights
    y[...] = np.rint(light / 255 / weights.luma + weights.black)
    u[...] = np.rint(((blue - light) / 255 / weights.blue_u + 128)[::2, ::2]).clip(0, 255)
    v[...] = np.rint(((red - light) / 255 / weights.red_v + 128)[::2, ::2]).clip(0, 255)
    return YuvFrame(packed=packed, height=height, width=width, colours=colours)
