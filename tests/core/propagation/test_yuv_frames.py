"""Frames in luma and chroma give the masks of the same frames in RGB, whatever their size, colours and orientation."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from stcn_core import PropagationConfig, Session, load_model, propagate
from stcn_core.frames import scaled_size
from stcn_core.propagation import yuv_images
from stcn_core.propagation.frame_stream import to_images
from stcn_core.synthetic.clips import draw_clip
from stcn_core.yuv import Colours, YuvFrame
from tests.core.clips import BT601, as_planes, noisy_clip
from tests.core.tiny import tiny_model

CPU = torch.device("cpu")
ORIENTATIONS: list[dict[str, Any]] = [
    dict(zip(("is_transposed", "is_mirrored_horizontally", "is_mirrored_vertically"), each, strict=True))
    for each in product((False, True), repeat=3)
]
COLOURS = [BT601, Colours(0.2126, 0.0722), Colours(0.2627, 0.0593, is_full_range=True)]


def upright(image: np.ndarray, orientation: Mapping[str, Any]) -> np.ndarray:
    turned = image.swapaxes(0, 1) if orientation["is_transposed"] else image
    turned = turned[:, ::-1] if orientation["is_mirrored_horizontally"] else turned
    return turned[::-1] if orientation["is_mirrored_vertically"] else turned


def squares(height: int, width: int) -> np.ndarray:
    """A picture whose colour changes from one 2 x 2 square to the next, so that 4:2:0 loses nothing."""
    values = np.random.default_rng(1).integers(60, 196, (-(-height // 2), -(-width // 2), 3), np.uint8)
    return values.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_colours_are_those_that_were_coded(colours: Colours, size: tuple[int, int]) -> None:
    image = squares(*size)
    frame = as_planes(image, colours)
    found = to_images([frame], CPU, size)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found - image).max() < 2.5  # luma and chroma are whole numbers, of 219 and 224 levels
    assert np.abs(frame.to_rgb() - found).max() <= 0.51


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("short_side", [None, 30])
def test_frames_are_upright_at_their_own_size_and_scaled(orientation: dict[str, Any], short_side: int | None) -> None:
    image = squares(48, 64)
    frame, expected = replace(as_planes(image), **orientation), upright(image, orientation)
    assert frame.size == expected.shape[:2]
    size = scaled_size(*frame.size, short_side)
    found = to_images([frame], CPU, size)
    of_rgb = to_images([np.ascontiguousarray(expected)], CPU, size)
    assert found.shape == (1, 3, *size)
    assert (found - of_rgb).abs().mean() < (0.01 if short_side is None else 0.03)
    assert np.abs(frame.to_rgb().astype(int) - expected).max() <= 3


def test_frames_are_enlarged_as_rgb_is() -> None:
    image = squares(48, 64)
    found, of_rgb = (to_images([frame], CPU, (96, 128)) for frame in (as_planes(image), image))
    assert (found - of_rgb).abs().max() < 0.03


def test_a_batch_beyond_the_limit_on_pixels_is_converted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [as_planes(image) for image in noisy_clip(3, 7, 48, 64, 1)[0]]
    whole, sizes = to_images(frames, CPU, (30, 40)), []
    converted = yuv_images._converted

    def noted(packed: torch.Tensor, like: YuvFrame, size: tuple[int, int]) -> torch.Tensor:
        sizes.append(len(packed))
        return converted(packed, like, size)

    monkeypatch.setattr(yuv_images, "_converted", noted)
    monkeypatch.setattr(yuv_images, "PIXELS_AT_ONCE", 3 * 48 * 64)
    assert torch.equal(to_images(frames, CPU, (30, 40)), whole)
    assert sizes == [3, 3, 1]


def test_colours_that_change_on_the_way_are_each_frames_own() -> None:
    image = squares(48, 64)
    frames = [as_planes(image, colours) for colours in (COLOURS[0], COLOURS[2], COLOURS[2], COLOURS[1])]
    for found, frame in zip(to_images(frames, CPU, (48, 64)), frames, strict=True):
        assert torch.equal(found, to_images([frame], CPU, (48, 64))[0])


@pytest.mark.parametrize("options", [{}, {"short_side": 40}, {"direction": "both"}])
def test_masks_equal_those_of_rgb(options: dict[str, object]) -> None:
    clip = draw_clip(5, range(16), 96, width=128)
    frames = [as_planes(image) for image in clip.frames]
    model = load_model("stcn-mini")
    config = PropagationConfig.for_model(model, **options)
    prompts = {0: clip.labels[0], 15: clip.labels[15]}
    of_rgb = propagate(model, [frame.to_rgb() for frame in frames], prompts, config=config)
    of_planes = propagate(model, frames, prompts, config=config)
    equal = [np.mean(one.labels == other.labels) for one, other in zip(of_planes, of_rgb, strict=True)]
    assert len(equal) == 16
    assert np.mean(equal) >= 0.995


def test_a_session_takes_planes() -> None:
    images, labels = noisy_clip(3, 2, 70, 90, 1)
    session = Session(tiny_model())
    assert set(np.unique(session.step(as_planes(images[0]), labels[0]).labels)) == {0, 1}
    assert session.step(as_planes(images[1])).labels.shape == (70, 90)
    with pytest.raises(ValueError, match=r"frame 2 is uint8 \(70, 90, 3\), those before it YuvFrame \(70, 90\)"):
        session.step(images[0])


def test_planes_of_another_size_are_refused() -> None:
    frame = as_planes(squares(48, 64))
    with pytest.raises(ValueError, match=r"of 64x50 have shape \(4608,\); legal: \(4800,\)"):
        replace(frame, height=50)
