"""Operation counts of one frame, from the network's own layers."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from stcn_core.config import ModelConfig, PropagationConfig
from stcn_core.models.network_registry import build_network


def operations_per_frame(
    model: ModelConfig, height: int, width: int, *, objects: int, config: PropagationConfig
) -> float:
    """Return the mean FLOPs per frame of a network's convolutions, computed directly; a multiply-add counts 2.

    height, width: padded pixels.

    Memory reads are not counted: they add 2 * key_dim * N for each query position.
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
