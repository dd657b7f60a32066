"""Rendering: batches match single scenes; shadows darken, open shutters blur, joints and waves deform."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stcn_core.synthetic.clips import draw_clips
from stcn_core.synthetic.motion import bend, fold
from stcn_core.synthetic.pictures import Pictures
from stcn_core.synthetic.rendering import render, render_batch
from stcn_core.synthetic.scene import Scene, draw_scene

HEIGHT, WIDTH = 64, 90


def scene(seed: int, distractors: int = 1) -> Scene:
    return draw_scene(np.random.default_rng(seed), HEIGHT, WIDTH, objects=2, late={}, zoom=1.0, distractors=distractors)


def plain(seed: int) -> Scene:
    """A scene without shadows, light, lens and codec."""
    quiet = scene(seed)
    nothing = replace(
        quiet.exposure, light=torch.zeros(6), tint=torch.ones(3), shutter=0.0, blur=0.0, noise=0.0, quantiser=0.0
    )
    return replace(quiet, shadow=torch.zeros(4), exposure=nothing)


def test_batch_matches_scenes_rendered_alone() -> None:
    """Colours differ a little: textures are scaled to one size, and windows differ."""
    scenes, times = [scene(seed) for seed in range(3)], torch.tensor([[0, 4, 9], [1, 2, 3], [7, 3, 0]])
    together = render_batch(scenes, times, HEIGHT, width=WIDTH)
    for clip, single in enumerate(scenes):
        frames, labels, surface = render(single, times[clip].tolist(), HEIGHT, width=WIDTH)
        assert (together.labels[clip] == labels).float().mean() > 0.995
        differences = (together.frames[clip].permute(0, 2, 3, 1).int() - frames.int()).abs().float()
        assert differences.mean() < 4
        assert (together.surface[clip] - surface).abs().median() < 0.01


def test_shadow_darkens_pixels_and_keeps_labels() -> None:
    bright = plain(5)
    frames, labels, _ = render(bright, [0, 6], HEIGHT, width=WIDTH)
    shaded, same, _ = render(replace(bright, shadow=torch.tensor([6.0, 4.0, 3.0, 0.8])), [0, 6], HEIGHT, width=WIDTH)
    assert torch.equal(labels, same)
    assert (shaded <= frames).all()
    assert (shaded.float().mean() / frames.float().mean()).item() < 0.97


def test_open_shutter_blurs_moving_background_and_keeps_labels() -> None:
    sharp = plain(3)
    path = replace(sharp.layers[0].path, amplitude=torch.tensor([[200.0, 0, 0, 0, 0, 0]] * 2))
    moving = replace(sharp, layers=[replace(sharp.layers[0], path=path), *sharp.layers[1:]])
    frames, labels, _ = render(moving, [5], HEIGHT, width=WIDTH)
    blurred, same, _ = render(replace(moving, exposure=replace(moving.exposure, shutter=1.0)), [5], HEIGHT, width=WIDTH)
    assert torch.equal(labels, same)
    sharp_gradient, blurred_gradient = (x[0].float().diff(dim=1).abs().mean() for x in (frames, blurred))
    assert blurred_gradient < 0.8 * sharp_gradient


def test_joint_turns_only_points_beyond_it_and_keeps_lengths() -> None:
    x, y = torch.tensor([-0.5, 0.2, 0.6]).view(1, 1, 1, 3), torch.zeros(1, 1, 1, 3)
    hinge = torch.tensor([[[0.1, 0.0, 0.0, 0.5, torch.pi / 2, 0.0]]])  # a limb to the right, at its largest on frame 1
    moved_x, moved_y = fold(x, y, hinge, times=torch.tensor([[1.0]]))
    assert (moved_x[..., 0].item(), moved_y[..., 0].item()) == pytest.approx((-0.5, 0.0))
    length = torch.hypot(moved_x - 0.1, moved_y)[..., 2].item()
    assert length == pytest.approx(0.5)
    assert abs(moved_y[..., 2].item()) == pytest.approx(0.5 * np.sin(0.5), abs=1e-5)
    still = fold(x, y, hinge, times=torch.tensor([[2.0]]))
    torch.testing.assert_close(still[0], x)


def test_wave_travels_with_time() -> None:
    x = torch.linspace(-1, 1, 5).view(1, 1, 1, 5)
    wave = torch.tensor([[[0.0, 0.1, 3.0, 0.0, 0.5, 0.0]]])
    _, down = bend(x, torch.zeros_like(x), wave, times=torch.tensor([[2.0]]))
    torch.testing.assert_close(down, 0.1 * torch.sin(3 * x + 1.0))


def test_batch_depends_only_on_its_seeds_and_pictures() -> None:
    rng = np.random.default_rng(0)
    things = rng.integers(0, 256, (3, 60, 60, 4), dtype=np.uint8)
    things[:, :15, :, 3] = 0
    pictures = Pictures.from_images([*rng.integers(0, 256, (2, 80, 100, 3), dtype=np.uint8), *things])
    times = torch.tensor([[0, 2], [0, 5]])
    one, again, drawn = (
        draw_clips([1, 2], times, HEIGHT, width=WIDTH, objects=2, zooms=[1.0, 1.5], pictures=used)
        for used in (pictures, pictures, None)
    )
    assert torch.equal(one.frames, again.frames)
    assert torch.equal(one.labels, again.labels)
    assert not torch.equal(one.frames, drawn.frames)
    assert one.frames.shape == (2, 2, 3, HEIGHT, WIDTH)
    assert {1, 2} <= set(one.labels[:, 0].unique().tolist())
