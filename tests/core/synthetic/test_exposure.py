"""Light, lens, sensor and codec: each changes frames, and a parameter of zero turns it off."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stcn_core.synthetic.exposure import Exposure, add_noise, apply_blur, apply_light, expose, quantise

NOTHING = Exposure(light=torch.zeros(6), tint=torch.ones(3), shutter=0.0, blur=0.0, noise=0.0, quantiser=0.0, seed=1)
FRAMES = torch.rand(2, 3, 3, 22, 37, generator=torch.Generator().manual_seed(0))
TIMES = torch.tensor([[0, 1, 2], [5, 9, 13]])


def error(frames: torch.Tensor, of: torch.Tensor = FRAMES) -> float:
    return (frames - of).square().mean().sqrt().item()


def test_exposure_of_zeros_changes_nothing() -> None:
    torch.testing.assert_close(expose(FRAMES, [NOTHING] * 2, TIMES), FRAMES)


@pytest.mark.parametrize(
    "effect", [{"blur": 1.0}, {"noise": 0.1}, {"quantiser": 16.0}, {"tint": torch.tensor([1, 1, 0.5])}]
)
def test_effect_changes_its_own_clip_only(effect: dict[str, float]) -> None:
    found = expose(FRAMES, [NOTHING, replace(NOTHING, **effect)], TIMES)  # type: ignore[arg-type]
    torch.testing.assert_close(found[0], FRAMES[0])
    assert error(found[1], FRAMES[1]) > 0.02


def test_light_varies_over_space_and_flicker_over_time() -> None:
    still = torch.tensor([0.3, 1.0, 0.0, 0.0, 0.0, 0.0])
    flickers = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 0.2])
    grey = torch.full((2, 3, 3, 8, 60), 0.5)
    found = apply_light(grey, torch.stack([still, flickers]), TIMES)
    torch.testing.assert_close(found[0, 0], found[0, 2])  # a place is equally bright on every frame,
    assert found[0].std(-1).min() > 0.05  # and brighter than others
    assert found[1].std((-1, -2)).max() < 1e-6
    assert found[1].mean((-1, -2)).std(0).min() > 0.001


def test_blur_lowers_contrast_and_keeps_brightness() -> None:
    found = apply_blur(FRAMES, [0.0, 1.0])
    torch.testing.assert_close(found[0], FRAMES[0])
    assert found[1].std() < 0.5 * FRAMES[1].std()
    torch.testing.assert_close(apply_blur(torch.full_like(FRAMES, 0.3), [1.0, 1.0]), torch.full_like(FRAMES, 0.3))


def test_noise_depends_on_frame_number_not_on_batch() -> None:
    noisy = [replace(NOTHING, noise=0.1)]
    whole = add_noise(FRAMES[:1], noisy, torch.tensor([[0, 1, 2]]))
    one = add_noise(FRAMES[:1, 1:2], noisy, torch.tensor([[1]]))
    torch.testing.assert_close(whole[:, 1:2], one)
    grain = whole - FRAMES[:1]
    assert grain.std().item() == pytest.approx(0.1, rel=0.05)
    assert abs(np.corrcoef(grain[0, 0].flatten(), grain[0, 1].flatten())[0, 1]) < 0.05


def test_codec_keeps_flat_frames_and_loses_more_at_larger_steps() -> None:
    plain = torch.full_like(FRAMES, 128 / 255)
    assert error(quantise(plain, [8.0, 8.0]), plain) < 0.01
    coarse = [error(quantise(FRAMES, [step] * 2)) for step in (1.0, 8.0, 32.0)]
    assert coarse == sorted(coarse)
    assert coarse[0] < 0.02
    assert coarse[2] > 0.05
