"""Networks that train in seconds, and batches for them."""

import numpy as np
import torch

from stcn_core.config import ModelConfig
from stcn_core.models.network import Network
from stcn_core.models.network_registry import build_network
from stcn_core.training.batch import Batch
from stcn_core.training.drawn_batch import Shape, draw_batch
from stcn_core.training.trainer import Schedule, Trainer

TINY = ModelConfig(
    key_width=8, key_depths=(1, 1, 1), value_width=16, value_depths=(1, 1, 1), key_dim=16, value_dim=32,
    attention=False, decoder_dims=(24, 16, 16),
)  # fmt: skip
TINY_STM = ModelConfig(
    network="stm", similarity="dot", key_width=8, key_depths=(1, 1, 1), key_dim=16, value_dim=32, decoder_dim=16
)


def network(config: ModelConfig = TINY) -> Network:
    torch.manual_seed(0)
    return build_network(config)


def trainer(steps: int, threads: int = 1, config: ModelConfig = TINY, **schedule: object) -> Trainer:
    options: dict[str, object] = {"learning_rate": 2e-3, "warmup": 5} | schedule
    return Trainer(network(config), Schedule(steps=steps, **options), threads)  # type: ignore[arg-type]


def batch(seed: int = 0, clips: int = 2, size: int = 96, objects: int = 2) -> Batch:
    shape = Shape(height=size, width=size, clips=clips, frames=3, objects=objects, longest_gap=4)
    return draw_batch(np.random.default_rng(seed), shape, (1.0, 1.5))
