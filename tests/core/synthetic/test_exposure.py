"""What light, lens, sensor and codec do to frames: each something, and nothing where its number is zero."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stcn_core.synthetic.exposure import Exposure, blurred, expose, grainy, lit, quantised

NOTHING = Exposure(light=torch.zeros(6), tint=torch.ones(3), shutter=0.0, blur=0.0, noise=0.0, quantiser=0.0, seed=1)
FRAMES = torch.rand(2, 3, 3, 22, 37, generator=torch.Generator().manual_seed(0))
TIMES = torch.tensor([[0, 1, 2], [5, 9, 13]])


def error(frames: torch.Tensor, of: torch.Tensor = FRAMES) -> float:
    return (frames - of).square().mean().sqrt().item()


def test_an_exposure_of_zeros_does_nothing() -> None:
    torch.testing.assert_close(expose(FRAMES, [NOTHING] * 2, TIMES), FRAMES)


@pytest.mark.parametrize(
    "effect", [{"blur": 1.0}, {"noise": 0.1}, {"quantiser": 16.0}, {"tint": torch.tensor([1, 1, 0.5])}]
)
def test_an_effect_is_of_its_clip_alone(effect: dict[str, float]) -> None:
    found = expose(FRAMES, [NOTHING, replace(NOTHING, **effect)], TIMES)  # type: ignore[arg-type]
    torch.testing.assert_close(found[0], FRAMES[0])
    assert error(found[1], FRAMES[1]) > 0.02


def test_light_flickers_and_moves() -> None:
    still = torch.tensor([0.3, 1.0, 0.0, 0.0, 0.0, 0.0])
    flickers = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 0.2])
    grey = torch.full((2, 3, 3, 8, 60), 0.5)
    found = lit(grey, torch.stack([still, flickers]), TIMES)
    torch.testing.assert_close(found[0, 0], found[0, 2])  # a place is as bright on every frame,
    assert found[0].std(-1).min() > 0.05  # and brighter than others
    assert found[1].std((-1, -2)).max() < 1e-6
    assert found[1].mean((-1, -2)).std(0).min() > 0.001


def test_blur_takes_contrast_and_no_brightness() -> None:
    found = blurred(FRAMES, [0.0, 1.0])
    torch.testing.assert_close(found[0], FRAMES[0])
    assert found[1].std() < 0.5 * FRAMES[1].std()
    torch.testing.assert_close(blurred(torch.full_like(FRAMES, 0.3), [1.0, 1.0]), torch.full_like(FRAMES, 0.3))


def test_grain_is_of_a_frames_number_and_not_of_the_frames_beside_it() -> None:
    noisy = [replace(NOTHING, noise=0.1)]
    whole = grainy(FRAMES[:1], noisy, torch.tensor([[0, 1, 2]]))
    one = grainy(FRAMES[:1, 1:2], noisy, torch.tensor([[1]]))
    torch.testing.assert_close(whole[:, 1:2], one)
    grain = whole - FRAMES[:1]
    assert grain.std().item() == pytest.approx(0.1, rel=0.05)
    assert abs(np.corrcoef(grain[0, 0].flatten(), grain[0, 1].flatten())[0, 1]) < 0.05


def test_the_codec_keeps_what_is_plain_and_loses_the_more_the_coarser() -> None:
    plain = torch.full_like(FRAMES, 128 / 255)
    assert error(quantised(plain, [8.0, 8.0]), plain) < 0.01
    coarse = [error(quantised(FRAMES, [step] * 2)) for step in (1.0, 8.0, 32.0)]
    assert coarse == sorted(coarse)
    assert coarse[0] < 0.02
    assert coarse[2] > 0.05
