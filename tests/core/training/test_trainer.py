"""Training steps: both networks learn, a resumed run repeats the original, and parts and processes agree."""

import copy
import dataclasses
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from stcn_core.config import Locality, ModelConfig
from stcn_core.memory.locality import locality_prior
from stcn_core.training.forward import forward_losses, training_similarity
from stcn_core.training.trainer import Schedule, Trainer
from tests.core.training.tiny import TINY, TINY_STM, batch, network, trainer

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("config", [TINY, TINY_STM], ids=["stcn", "stm"])
def test_sixty_steps_lower_loss_and_raise_iou(config: ModelConfig) -> None:
    """All steps see one batch, which even these networks can memorise."""
    training, seen = trainer(60, config=config), batch(size=64)
    terms = [training.train_step(seen) for _ in range(60)]
    assert terms[-1]["loss"] < 0.75 * terms[0]["loss"]
    assert terms[-1]["iou"] > terms[0]["iou"] + 0.1
    assert ("surface" in terms[0]) == (config is TINY)


def test_memory_reads_apply_locality_by_the_frame_gap() -> None:
    """After a short gap a local read sees little of the frame; after a very long one it sees all of it."""
    seen, config = batch(), dataclasses.replace(TINY, locality=Locality(0.05, 0.05))
    near, wide, without = (
        forward_losses(network(own), dataclasses.replace(seen, times=scale * seen.times), share=1.0)["cross_entropy"]
        for own, scale in ((config, 1), (config, 10**6), (TINY, 1))
    )
    torch.testing.assert_close(wide, without, rtol=1e-4, atol=1e-5)
    assert abs(near - without) > 1e-3


def test_training_reads_all_positions_whatever_top_k_is() -> None:
    seen = batch()
    one, without = (
        forward_losses(network(dataclasses.replace(TINY, top_k=top_k)), seen, share=1.0)["cross_entropy"]
        for top_k in (1, None)
    )
    assert one == without


def test_modules_learn_at_their_own_rates_and_frozen_ones_not_at_all() -> None:
    """Adam's first step is as long as its rate, whatever the gradient."""
    rates = {"key_encoder": 0.0, "value_encoder": 0.1}
    schedule = Schedule(steps=10, learning_rate=1e-3, warmup=0, weight_decay=0.0, rates=rates)
    own = Trainer(network(), schedule)
    before = {name: tensor.clone() for name, tensor in own.model.named_parameters()}
    own.train_step(batch())
    moved = {
        name: float((tensor - before[name]).detach().abs().amax()) for name, tensor in own.model.named_parameters()
    }
    assert {moved[name] for name in moved if name.startswith("key_encoder.")} == {0.0}
    assert moved["value_encoder.fuser.block1.conv1.weight"] == pytest.approx(1e-4, rel=1e-2)
    assert moved["decoder.pred.weight"] == pytest.approx(1e-3, rel=1e-2)


def test_rate_of_an_unknown_module_is_refused() -> None:
    with pytest.raises(ValueError, match="key_encodr"):
        Trainer(network(), Schedule(steps=10, learning_rate=1e-3, rates={"key_encodr": 0.1}))


@pytest.mark.parametrize("threads", [1, 2])
def test_fused_update_matches_plain_update_in_channels_last(threads: int) -> None:
    """Fused AdamW reads parameters and gradients as flat memory; different memory formats would mix entries up."""
    fused, plain, seen = trainer(10, threads), trainer(10, threads), batch(2)
    groups = [{"params": [*plain.model.parameters()], "factor": 1.0}]
    plain.optimizer = torch.optim.AdamW(groups, weight_decay=1e-4)
    for _ in range(2):
        fused.train_step(seen)
        plain.train_step(seen)
    for (name, one), other in zip(fused.model.named_parameters(), plain.model.parameters(), strict=True):
        if one.ndim == 4:  # gradients of biases before batch norm are rounding errors, which Adam amplifies
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, msg=name)


def test_batch_splits_into_parts_of_at_least_one_clip() -> None:
    whole = batch(clips=3)
    parts = whole.split(2)
    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert whole.surfaces is not None
    assert torch.equal(torch.cat([part.surfaces for part in parts if part.surfaces is not None]), whole.surfaces)
    assert [len(part.images) for part in whole.split(9)] == [1, 1, 1]


def test_resumed_run_repeats_the_uninterrupted_run() -> None:
    batches = [batch(seed) for seed in range(4)]
    straight = trainer(10, threads=2)
    for seen in batches[:2]:
        straight.train_step(seen)
    resumed = trainer(10, threads=2)
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
    for seen in batches[2:]:
        assert straight.train_step(seen) == resumed.train_step(seen)
    for name, tensor in straight.averaged_model().state_dict().items():
        assert torch.equal(tensor, resumed.averaged_model().state_dict()[name]), name


def test_frozen_batch_norm_is_unchanged_while_other_weights_learn() -> None:
    before = network().state_dict()
    training = trainer(4, freeze_batch_norm=True)
    training.train_step(batch())
    after = training.model.state_dict()
    norms = [name for name in before if ".bn" in name]
    assert norms
    assert all(torch.equal(before[name], after[name]) for name in norms)
    assert not torch.equal(before["key_proj.key_proj.weight"], after["key_proj.key_proj.weight"])


def test_averaged_model_has_last_weights_without_decay() -> None:
    last, mean = trainer(4, average_decay=0.0), trainer(4, average_decay=0.9)
    for training in (last, mean):
        for _ in range(3):
            training.train_step(batch())
    name = "key_proj.key_proj.weight"
    assert torch.equal(last.averaged_model().state_dict()[name], last.model.state_dict()[name])
    assert not torch.equal(mean.averaged_model().state_dict()[name], mean.model.state_dict()[name])


def test_gradients_are_averaged_over_processes_before_clipping() -> None:
    """A second process with negated gradients cancels the update."""

    def cancel(gradients: Iterable[Tensor]) -> None:
        for gradient in gradients:
            gradient.zero_()

    training = trainer(4, weight_decay=0.0)
    training.average_gradients = cancel
    before = copy.deepcopy(training.model.state_dict()["key_proj.key_proj.weight"])
    assert training.train_step(batch())["gradient"] == 0
    assert torch.equal(before, training.model.state_dict()["key_proj.key_proj.weight"])


@pytest.mark.parametrize("locality", [None, Locality(0.05, 0.02)])
def test_key_similarity_is_float32_under_bfloat16_autocast(locality: Locality | None) -> None:
    model = network(dataclasses.replace(TINY, locality=locality))
    memory, query = (5 * torch.randn(1, 16, 30, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    near = locality_prior(locality, torch.tensor([3]), 5, width=6) if locality else None
    plain = training_similarity(model, memory, query, near=near)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(training_similarity(model, memory, query, near=near), plain)


def test_bfloat16_lowers_loss_and_keeps_float32_weights() -> None:
    training, seen = trainer(20), batch()
    training.bf16 = True
    terms = [training.train_step(seen) for _ in range(20)]
    assert terms[-1]["loss"] < 0.9 * terms[0]["loss"]
    assert training.model.state_dict()["key_proj.key_proj.weight"].dtype == torch.float32
