"""Pictures as surfaces and things: how they are told apart and cropped, and where an outline lies."""

import numpy as np
import pytest
import torch

from stcn_core.synthetic.cut_outs import REACH, CutOut, cut_out, outline_distance
from stcn_core.synthetic.pictures import Pictures, crop
from stcn_core.synthetic.surfaces import ColourJitter

RNG = np.random.default_rng(0)
PHOTOGRAPH = RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8)


def disc(size: int, radius: float) -> np.ndarray:
    """A red disc on a transparent ground, (S, S, 4)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    inside = (np.hypot(x, y) < radius)[..., None]
    return np.where(inside, [200, 10, 10, 255], [0, 0, 0, 0]).astype(np.uint8)


def test_images_with_alpha_become_cut_outs_unless_empty_or_opaque() -> None:
    full, empty = disc(40, 100), disc(40, 0)
    found = Pictures.from_images([PHOTOGRAPH, disc(40, 12), full, empty, PHOTOGRAPH[:20]])
    assert (len(found.photographs), len(found.cut_outs)) == (1, 1)


def test_cut_out_is_cropped_to_opaque_part_on_square() -> None:
    picture = np.zeros((80, 100, 4), np.uint8)
    picture[10:30, 60:90] = 255
    thing = CutOut.from_image(picture)
    assert thing is not None
    assert thing.picture.shape == (3, 30 + 2 * REACH, 30 + 2 * REACH)
    assert int((thing.alpha > 0).sum()) == 20 * 30


@pytest.mark.parametrize("size", [48, 160])
def test_outline_lies_where_alpha_is_half_and_distance_is_in_texels(size: int) -> None:
    thing = CutOut.from_image(disc(200, 90))
    assert thing is not None
    texture, distance = cut_out(np.random.default_rng(1), thing, size)
    assert texture.shape == (3, size, size)
    side = 2 * 90 + 2 * REACH
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    true = (90 / side * size - np.hypot(x, y)) * 2 / size  # in half sides
    near = np.abs(true) < 2 * 2 / size
    assert np.abs(distance.numpy() - true)[near].max() < 1.0 * 2 / size
    assert ((distance.numpy() > 0) == (true > 0))[np.abs(true) > 2 / size].all()


def test_thin_parts_keep_their_outline() -> None:
    alpha = torch.zeros(64, 64)
    alpha[:, 31:33] = 1
    distance = outline_distance(alpha)
    assert bool((distance[:, 31:33] > 0).all())
    assert bool((distance[:, 29] < 0).all())


def test_crop_is_part_of_the_photograph() -> None:
    striped = torch.zeros(3, 100, 100, dtype=torch.uint8)
    striped[0] = torch.arange(100) * 2
    found = crop(np.random.default_rng(2), striped, 32)
    assert found.shape == (3, 32, 32)
    assert not found[1:].any()
    assert (found[0].diff(dim=1).sign().sum(1).abs() == 31).all()  # rising or, mirrored, falling


def test_colour_jitter_changes_picture_within_range() -> None:
    picture = torch.rand(3, 16, 16)
    for seed in range(20):
        found = ColourJitter.draw(np.random.default_rng(seed)).apply(picture)
        assert found.min() >= 0
        assert found.max() <= 1
        assert (found - picture).abs().mean() > 0.005
