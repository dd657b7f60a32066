"""A tiny network learns to follow squares in 100 or 200 steps from random weights: the loss falls, and J rises."""

from pathlib import Path

import numpy as np
import pytest

from jobs.training.batches import Plan, make_batch
from jobs.training.recipe import Size, Stage
from jobs.training.sequences import find_sequences
from stcn_core.config import PropagationConfig
from stcn_core.metrics import region_similarity
from stcn_core.models.network import Network
from stcn_core.propagation.propagate import propagate
from stcn_core.training.initialization import init_residual_blocks_as_identity
from stcn_core.training.trainer import Trainer
from tests.core.training.tiny import network
from tests.jobs.training.trees import write_tree
from tests.lengths import short_and_long

STAGE = Stage(
    steps=200, learning_rate=3e-3, warmup=10, clips=2, drawn=0.0, sizes=(Size(height=64, width=64),),
    average_decay=0.9, gaps=((0.0, 2),),
)  # fmt: skip


def mean_j(model: Network, tree: Path) -> float:
    """Mean J on the last frames, prompted by the masks of the first."""
    found = []
    for sequence in find_sequences(str(tree)):
        frames, labels = zip(*(sequence.load(index) for index in range(len(sequence.masks))), strict=True)
        config = PropagationConfig.for_model(model, short_side=None)
        *_, last = propagate(model, list(frames), {0: labels[0]}, config=config)
        found += [region_similarity(last.labels == i, labels[-1] == i) for i in (1, 2)]
    return float(np.mean(found))


@pytest.mark.heavy
@short_and_long("steps, share", short=[(100, 0.75)], long=[(200, 0.6)])
def test_training_from_scratch_lowers_the_loss_and_raises_j(steps: int, share: float, tmp_path: Path) -> None:
    write_tree(tmp_path, {"one": 6, "another": 6})
    model = network()
    init_residual_blocks_as_identity(model)
    before = mean_j(network().eval(), tmp_path)
    stage = STAGE.model_copy(update={"steps": steps})
    trainer, plan = Trainer(model, stage.schedule()), Plan(stage=stage, number=0, seed=0, data=(str(tmp_path),))
    losses = [trainer.train_step(make_batch(plan, step))["dice"] for step in range(steps)]
    after = mean_j(trainer.averaged_model(), tmp_path)
    assert np.mean(losses[-20:]) < share * np.mean(losses[:20])
    assert after > before + 0.2
