"""Padding, scaling, soft aggregation and label maps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stcn_core import frames, masks


@given(st.integers(1, 70), st.integers(1, 70))
def test_padding_reaches_the_stride_and_is_invertible(height: int, width: int) -> None:
    x = torch.rand(2, height, width)
    padding = masks.Padding.to_stride(height, width)
    padded = padding.add(x)
    assert padded.shape[1] % 16 == padded.shape[2] % 16 == 0
    assert padded.shape[1] - height < 16
    assert padding.bottom - padding.top in (0, 1)
    assert padding.right - padding.left in (0, 1)
    assert torch.equal(padding.cut(padded), x)
    assert padded.sum() == pytest.approx(float(x.sum()), rel=1e-5)


def test_aggregation_matches_the_paper() -> None:
    """A plane is its odds over the sum of all odds; the background's probability is that no object is there."""
    p = torch.tensor([0.9, 0.2])
    planes = masks.aggregate(p.view(2, 1, 1)).flatten()
    odds = torch.tensor([0.1 * 0.8 / (1 - 0.1 * 0.8), 0.9 / 0.1, 0.2 / 0.8])
    torch.testing.assert_close(planes, odds / odds.sum())
    assert masks.aggregate(torch.zeros(0, 2, 3)).shape == (1, 2, 3)


def test_resized_label_map_keeps_its_ids() -> None:
    labels = torch.zeros(40, 60, dtype=torch.int64)
    labels[10:30, 20:50] = 2**40 + 1
    small = masks.resize_labels(labels, (20, 30))
    assert small.unique().tolist() == [0, 2**40 + 1]
    assert torch.equal(small[5:15, 10:25] > 0, torch.ones(10, 15, dtype=torch.bool))


def test_prompt_overrides_earlier_planes() -> None:
    planes = torch.full((2, 1, 4), 0.6)
    labels = torch.tensor([[0, 0, 8, 3]])
    edited = masks.put_prompt(planes, labels, object_ids=[3, 5], ids_after=[3, 5, 8])
    assert edited[:, 0].tolist() == [
        [0, 0, 0, 1],  # 3 is prompted: its plane becomes its prompt
        pytest.approx([0.6, 0.6, 0, 0]),  # 5 is not prompted: its plane stays outside the prompted region
        [0, 0, 1, 0],  # 8 is new
    ]


def test_present_ids_are_ascending_without_background() -> None:
    assert frames.present_ids(np.array([[0, 7], [300, 7]])) == [7, 300]


@pytest.mark.parametrize("objects", [1, 3])
def test_stability_is_the_iou_of_strict_and_lenient_masks(objects: int) -> None:
    planes = masks.aggregate(torch.rand(objects, 20, 30))
    winner, margin = masks.winners(planes)
    for number, found in enumerate(masks.stability(planes, winner, margin).tolist(), start=1):
        lead = planes[number] - planes[[i for i in range(objects + 1) if i != number]].amax(0)  # over the runner-up
        strict, lenient = lead >= 0.5, lead > -0.5
        assert found == pytest.approx((strict & lenient).sum() / (strict | lenient).sum())


def test_stability_is_1_for_a_sharp_mask_and_0_for_an_empty_one() -> None:
    planes = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]], [[0.0, 0.0]]])
    assert masks.stability(planes, *masks.winners(planes)).tolist() == [1, 0]
