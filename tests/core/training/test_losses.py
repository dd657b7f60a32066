"""Losses reward correct predictions."""

import pytest
import torch

from stcn_core.training import losses


def test_bootstrapping_counts_only_the_hardest_pixels() -> None:
    planes = torch.full((1, 2, 1, 4), 0.5)
    planes[0, :, 0, 0] = torch.tensor([0.9, 0.1])
    labels = torch.tensor([[[1, 0, 0, 0]]])
    hardest = losses.bootstrapped_cross_entropy(planes, labels, share=0.25)
    assert hardest.item() == pytest.approx(-torch.tensor(0.1).log().item(), rel=1e-5)
    assert losses.bootstrapped_cross_entropy(planes, labels, share=1.0) < hardest


def test_dice_loss_is_zero_for_the_true_mask() -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[..., 2:5, 2:5] = 1
    assert losses.dice_loss(target, target).item() == pytest.approx(0, abs=1e-6)
    assert losses.dice_loss(1 - target, target) > 0.9


def test_surface_loss_is_lowest_for_the_true_correspondence() -> None:
    """A plane moves by one cell: the true match beats none, and none beats a wrong one."""
    x = torch.arange(4.0) * 16
    memory = torch.stack([torch.zeros(1, 1, 4), x.view(1, 1, 4), torch.zeros(1, 1, 4)], -1)  # B, h, w, 3
    query = memory.clone()
    query[..., 1] += 16  # query cell i shows the point of memory cell i + 1; the last cell shows a new point
    right = torch.zeros(1, 4, 4)
    wrong = torch.zeros(1, 4, 4)
    for i in range(3):
        right[0, i + 1, i], wrong[0, i, i] = 2, 2
    costs = [losses.surface_loss(s, memory, query).item() for s in (right, torch.zeros(1, 4, 4), wrong)]
    assert costs == sorted(costs)
    right[0, :, 3] = torch.tensor([9.0, 0, 0, 0])  # a point that came into view may match any cell
    assert losses.surface_loss(right, memory, query).item() == pytest.approx(costs[0])


def test_carried_mask_loss_is_zero_for_a_perfect_affinity() -> None:
    masks = torch.zeros(1, 2, 32, 32)
    masks[0, 1, :16], masks[0, 0, 16:] = 1, 1
    perfect = losses.carried_mask_loss(torch.eye(4)[None], masks, masks)
    assert perfect.item() == pytest.approx(0, abs=1e-5)
    assert losses.carried_mask_loss(torch.full((1, 4, 4), 0.25), masks, masks) > 0.5
