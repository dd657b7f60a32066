"""Losses and the training step: what they must reward, and that a run can be taken up again."""

import copy

import pytest
import torch

from stcn_core import losses
from stcn_core.config import ModelConfig
from stcn_core.stcn import STCN
from stcn_core.training import SIZE_CHANCES, SIZES, Trainer, bootstrap_share, draw_batch, learning_rate

TINY = ModelConfig(
    key_width=8, key_depths=(1, 1, 1), value_width=16, value_depths=(1, 1, 1), key_dim=16, value_dim=32, attention=False
)


def tiny_trainer(steps: int, rate: float = 2e-3, threads: int = 1) -> Trainer:
    torch.manual_seed(0)
    return Trainer(STCN(TINY), steps, rate, warmup=5, threads=threads)


def test_bootstrapping_looks_at_the_hardest_pixels_alone() -> None:
    planes = torch.full((1, 2, 1, 4), 0.5)
    planes[0, :, 0, 0] = torch.tensor([0.9, 0.1])
    labels = torch.tensor([[[1, 0, 0, 0]]])
    hardest = losses.bootstrapped_cross_entropy(planes, labels, share=0.25)
    assert hardest.item() == pytest.approx(-torch.tensor(0.1).log().item(), rel=1e-5)
    assert losses.bootstrapped_cross_entropy(planes, labels, share=1.0) < hardest


def test_dice_is_least_for_the_true_mask() -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[..., 2:5, 2:5] = 1
    assert losses.dice_loss(target, target).item() == pytest.approx(0, abs=1e-6)
    assert losses.dice_loss(1 - target, target) > 0.9


def test_an_affinity_that_follows_the_surface_costs_least() -> None:
    """Two frames of a plane that moved by one cell: the true match against none and against a wrong one."""
    x = torch.arange(4.0) * 16
    memory = torch.stack([torch.zeros(1, 1, 4), x.view(1, 1, 4), torch.zeros(1, 1, 4)], -1)  # B, h, w, 3
    query = memory.clone()
    query[..., 1] += 16  # query cell i shows what memory cell i + 1 shows; the last one shows something new
    right = torch.zeros(1, 4, 4)
    wrong = torch.zeros(1, 4, 4)
    for i in range(3):
        right[0, i + 1, i], wrong[0, i, i] = 2, 2
    costs = [losses.surface_loss(s, memory, query).item() for s in (right, torch.zeros(1, 4, 4), wrong)]
    assert costs == sorted(costs)
    right[0, :, 3] = torch.tensor([9.0, 0, 0, 0])  # what came into view may be matched with anything
    assert losses.surface_loss(right, memory, query).item() == pytest.approx(costs[0])


def test_a_carried_mask_costs_nothing_through_a_perfect_affinity() -> None:
    masks = torch.zeros(1, 2, 32, 32)
    masks[0, 1, :16], masks[0, 0, 16:] = 1, 1
    perfect = losses.carried_mask_loss(torch.eye(4)[None], masks, masks)
    assert perfect.item() == pytest.approx(0, abs=1e-5)
    assert losses.carried_mask_loss(torch.full((1, 4, 4), 0.25), masks, masks) > 0.5


def test_the_schedules_begin_and_end_where_they_say() -> None:
    assert learning_rate(0, 100, 1.0, 10) == pytest.approx(0.1)
    assert learning_rate(10, 100, 1.0, 10) == pytest.approx(1.0)
    assert learning_rate(100, 100, 1.0, 10) == pytest.approx(0.01)
    assert (bootstrap_share(0, 100), bootstrap_share(100, 100)) == (1.0, 0.15)
    assert sum(SIZE_CHANCES) == pytest.approx(1)
    assert all(side % 16 == 0 for size in SIZES for side in size)


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    first, again, other = (draw_batch(0, step, 100, clips=2) for step in (3, 3, 4))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.surfaces, again.surfaces)
    assert first.images.shape != other.images.shape or not torch.equal(first.images, other.images)
    assert first.labels.max() <= first.objects


def test_a_few_dozen_steps_lower_the_loss_and_raise_the_iou() -> None:
    """On one batch, which even this network can learn by heart."""
    trainer, batch = tiny_trainer(40), draw_batch(0, 0, 100, clips=2)
    terms = [trainer.train_step(batch) for _ in range(40)]
    assert terms[-1]["loss"] < 0.6 * terms[0]["loss"]
    assert terms[-1]["surface"] < terms[0]["surface"]
    assert terms[-1]["iou"] > terms[0]["iou"] + 0.1


@pytest.mark.parametrize("threads", [1, 2])
def test_an_update_follows_the_gradient_whatever_its_memory_layout(threads: int) -> None:
    """Fused AdamW reads parameter and gradient as flat memory: channels-last against plain would mix them up."""
    fused, plain, batch = tiny_trainer(10, threads=threads), tiny_trainer(10, threads=threads), draw_batch(2, 0, 10, 2)
    plain.optimizer = torch.optim.AdamW(plain.model.parameters(), weight_decay=1e-4)
    for _ in range(2):
        fused.train_step(batch)
        plain.train_step(batch)
    for (name, one), other in zip(fused.model.named_parameters(), plain.model.parameters(), strict=True):
        if one.ndim == 4:  # biases before batch norm have no gradient but rounding, which Adam blows up
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, msg=name)


def test_a_batch_splits_into_its_clips() -> None:
    batch = draw_batch(0, 2, 100, clips=6)
    parts = batch.split(2)
    assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
    assert torch.equal(torch.cat([part.surfaces for part in parts]), batch.surfaces)


def test_resuming_repeats_the_uninterrupted_run() -> None:
    batches = [draw_batch(1, step, 10, clips=2) for step in range(4)]
    straight = tiny_trainer(10, threads=2)
    for batch in batches[:2]:
        straight.train_step(batch)
    resumed = tiny_trainer(10, threads=2)
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
    for batch in batches[2:]:
        assert straight.train_step(batch) == resumed.train_step(batch)
    for name, tensor in straight.averaged_model().state_dict().items():
        assert torch.equal(tensor, resumed.averaged_model().state_dict()[name]), name
