"""Two sides' planes as one: the nearer and the surer side has the say, and nothing is lost where there is one side."""

import pytest
import torch

from stcn_core.masks import winners
from stcn_core.propagation.fusion import fuse, nearness, with_background
from stcn_core.propagation.results import FramePlanes

SIZE = (2, 3)


def side(planes: dict[int, float], frame: int = 4) -> FramePlanes:
    """Objects with one probability everywhere."""
    objects = torch.tensor(list(planes.values()))[:, None, None].expand(-1, *SIZE)
    return FramePlanes(frame, tuple(planes), with_background(objects), SIZE)


def values(planes: FramePlanes) -> dict[int, float]:
    """The planes by object; 0 is the background."""
    assert planes.planes.shape == (1 + len(planes.object_ids), *SIZE)
    assert (planes.planes == planes.planes[:, :1, :1]).all()
    return dict(zip((0, *planes.object_ids), planes.planes[:, 0, 0].tolist(), strict=True))


def test_nearness_falls_with_the_distance_to_prompts() -> None:
    assert nearness(1, [0, 10]) == 0.9
    assert nearness(5, [0, 10]) == 0.5
    assert nearness(9, [0, 2, 3, 10, 30]) == pytest.approx(1 / 7)
    fused = values(fuse(side({1: 0.9}, 1), side({1: 0.8}, 1), {1: [0, 10]}))
    forward, backward = 0.9 * 0.8, 0.1 * 0.6  # nearness times margin over the background
    assert fused[1] == pytest.approx((forward * 0.9 + backward * 0.8) / (forward + backward))


def test_fusion_weighs_the_surer_side_more() -> None:
    fused = values(fuse(side({1: 0.6, 2: 0.1}), side({1: 0.9, 2: 0.05}), {1: [0, 8], 2: [0, 8]}))
    assert fused[1] == pytest.approx((0.3 * 0.6 + 0.85 * 0.9) / (0.3 + 0.85))


def test_object_lost_by_one_side_is_taken_from_the_other() -> None:
    fused = values(fuse(side({1: 0.7}, 7), side({1: 0.0}, 7), {1: [0, 8]}))
    assert fused[1] == pytest.approx(0.7, abs=1e-4)  # although the other's prompt is nearer
    both = values(fuse(side({1: 0.4}, 2), side({1: 0.0}, 2), {1: [0, 8]}))
    assert both[1] == pytest.approx(0.4 * 0.75)


def test_object_of_one_side_keeps_its_probabilities() -> None:
    fused = values(fuse(side({1: 0.2, 3: 0.3}), side({2: 0.1, 3: 0.3}), {1: [0], 2: [9], 3: [0, 9]}))
    assert fused == pytest.approx({0: 0.4, 1: 0.2, 2: 0.1, 3: 0.3})


def test_fusion_with_an_empty_side_returns_the_other() -> None:
    some, none = side({2: 0.3, 1: 0.6}), side({})
    assert fuse(some, none, {1: [0], 2: [0]}) is some
    assert fuse(none, some, {1: [9], 2: [9]}) is some


def test_fused_probabilities_are_scaled_to_sum_to_one() -> None:
    fused = fuse(side({1: 0.9}), side({2: 0.6}), {1: [0], 2: [9]})
    assert values(fused) == pytest.approx({0: 0, 1: 0.6, 2: 0.4})
    assert winners(fused.planes)[0].unique().tolist() == [1]
