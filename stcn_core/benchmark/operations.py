"""The arithmetic of one frame, counted from the network's own layers."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from stcn_core.config import ModelConfig, PropagationConfig
from stcn_core.models.registry import build_network


def operations_per_frame(
    model: ModelConfig, height: int, width: int, *, objects: int, config: PropagationConfig
) -> float:
    """FLOPs of STCN's convolutions: a multiplication and an addition each, by the direct method.

    Height and width are padded ones. The memory read comes on top: 2 * key_dim * N for each query position.
    """
    with torch.device("meta"):
        network = build_network(model)
        images = torch.empty(1, 3, height, width)
        masks = torch.empty(1, objects, height, width)
        readout = torch.empty(1, objects, model.value_dim, height // 16, width // 16)
    with FlopCounterMode(display=False) as encoding:
        query = network.encode_query(images)
    with FlopCounterMode(display=False) as decoding:
        network.segment(readout, query)
    with FlopCounterMode(display=False) as memorising:
        network.encode_memory(images, query, masks)
    every_frame: int = encoding.get_total_flops() + decoding.get_total_flops()
    memory_frame: int = memorising.get_total_flops()
    return every_frame + memory_frame / config.memory_every
