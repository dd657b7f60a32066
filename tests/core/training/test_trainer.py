"""Training steps: they learn, of either network; a run can be taken up again; parts and processes agree."""

import copy
import dataclasses
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from stcn_core.config import Locality, ModelConfig
from stcn_core.memory.locality import locality_prior
from stcn_core.training.forward import forward_losses, training_similarity
from tests.core.training.tiny import TINY, TINY_STM, batch, network, trainer

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("config", [TINY, TINY_STM], ids=["stcn", "stm"])
def test_a_few_dozen_steps_lower_the_loss_and_raise_the_iou(config: ModelConfig) -> None:
    """On one batch, which even these networks can learn by heart."""
    training, seen = trainer(60, config=config), batch()
    terms = [training.train_step(seen) for _ in range(60)]
    assert terms[-1]["loss"] < 0.75 * terms[0]["loss"]
    assert terms[-1]["iou"] > terms[0]["iou"] + 0.1
    assert ("surface" in terms[0]) == (config is TINY)


def test_reads_have_the_networks_locality_by_the_gaps_between_frames() -> None:
    """At once what is local sees little of the frame; after very long it sees all of it, as without."""
    seen, config = batch(), dataclasses.replace(TINY, locality=Locality(0.05, 0.05))
    near, wide, without = (
        forward_losses(network(own), dataclasses.replace(seen, times=scale * seen.times), share=1.0)["cross_entropy"]
        for own, scale in ((config, 1), (config, 10**6), (TINY, 1))
    )
    torch.testing.assert_close(wide, without, rtol=1e-4, atol=1e-5)
    assert abs(near - without) > 1e-3


def test_reads_are_of_all_positions_whatever_the_network_reads_later() -> None:
    seen = batch()
    one, without = (
        forward_losses(network(dataclasses.replace(TINY, top_k=top_k)), seen, share=1.0)["cross_entropy"]
        for top_k in (1, None)
    )
    assert one == without


@pytest.mark.parametrize("threads", [1, 2])
def test_an_update_follows_the_gradient_whatever_its_memory_layout(threads: int) -> None:
    """Fused AdamW reads parameter and gradient as flat memory: channels-last against plain would mix them up."""
    fused, plain, seen = trainer(10, threads), trainer(10, threads), batch(2)
    plain.optimizer = torch.optim.AdamW(plain.model.parameters(), weight_decay=1e-4)
    for _ in range(2):
        fused.train_step(seen)
        plain.train_step(seen)
    for (name, one), other in zip(fused.model.named_parameters(), plain.model.parameters(), strict=True):
        if one.ndim == 4:  # biases before batch norm have no gradient but rounding, which Adam blows up
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, msg=name)


def test_a_batch_splits_into_its_clips() -> None:
    whole = batch(clips=3)
    parts = whole.split(2)
    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert whole.surfaces is not None
    assert torch.equal(torch.cat([part.surfaces for part in parts if part.surfaces is not None]), whole.surfaces)
    assert [len(part.images) for part in whole.split(9)] == [1, 1, 1]


def test_resuming_repeats_the_uninterrupted_run() -> None:
    batches = [batch(seed) for seed in range(4)]
    straight = trainer(10, threads=2)
    for seen in batches[:2]:
        straight.train_step(seen)
    resumed = trainer(10, threads=2)
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
    for seen in batches[2:]:
        assert straight.train_step(seen) == resumed.train_step(seen)
    for name, tensor in straight.kept_model().state_dict().items():
        assert torch.equal(tensor, resumed.kept_model().state_dict()[name]), name


def test_frozen_batch_norm_stays_as_it_came_and_the_rest_learns() -> None:
    before = network().state_dict()
    training = trainer(4, freeze_batch_norm=True)
    training.train_step(batch())
    after = training.model.state_dict()
    norms = [name for name in before if ".bn" in name]
    assert norms
    assert all(torch.equal(before[name], after[name]) for name in norms)
    assert not torch.equal(before["key_proj.key_proj.weight"], after["key_proj.key_proj.weight"])


def test_what_is_kept_is_the_last_weights_or_their_running_average() -> None:
    last, mean = trainer(4, average_decay=0.0), trainer(4, average_decay=0.9)
    for training in (last, mean):
        for _ in range(3):
            training.train_step(batch())
    name = "key_proj.key_proj.weight"
    assert torch.equal(last.kept_model().state_dict()[name], last.model.state_dict()[name])
    assert not torch.equal(mean.kept_model().state_dict()[name], mean.model.state_dict()[name])


def test_gradients_are_averaged_over_processes_before_they_are_clipped() -> None:
    """A second process whose gradients are the same, negated, leaves nothing to do."""

    def cancel(gradients: Iterable[Tensor]) -> None:
        for gradient in gradients:
            gradient.zero_()

    training = trainer(4, weight_decay=0.0)
    training.average_gradients = cancel
    before = copy.deepcopy(training.model.state_dict()["key_proj.key_proj.weight"])
    assert training.train_step(batch())["gradient"] == 0
    assert torch.equal(before, training.model.state_dict()["key_proj.key_proj.weight"])


@pytest.mark.parametrize("locality", [None, Locality(0.05, 0.02)])
def test_keys_are_compared_in_float32_where_the_rest_is_in_bfloat16(locality: Locality | None) -> None:
    model = network(dataclasses.replace(TINY, locality=locality))
    memory, query = (5 * torch.randn(1, 16, 30, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    near = locality_prior(locality, torch.tensor([3]), 5, width=6) if locality else None
    plain = training_similarity(model, memory, query, near=near)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(training_similarity(model, memory, query, near=near), plain)


def test_bfloat16_learns_as_well() -> None:
    training, seen = trainer(20), batch()
    training.bf16 = True
    terms = [training.train_step(seen) for _ in range(20)]
    assert terms[-1]["loss"] < 0.9 * terms[0]["loss"]
    assert training.model.state_dict()["key_proj.key_proj.weight"].dtype == torch.float32
