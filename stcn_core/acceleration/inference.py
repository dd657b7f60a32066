"""A network's form for inference: the same masks up to rounding, faster.

What changes is how its layers compute, never what: batch norm goes into the convolutions before it, activations lie
channels-last, and on a CPU the layers take the forms of `cpu_layers`.
"""

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stcn_core.acceleration.cpu_layers import use_cpu_layers
from stcn_core.models.network import Network
from stcn_core.models.stm import MemoryEncoder


def for_inference(model: Network, precision: torch.dtype | None = None) -> Network:
    """A copy of a network in evaluation mode that can no longer be trained or saved.

    precision: what activations are computed in; None: `fastest_precision` of the model's device where the model is
    in float32, else the model's own. Keys come out in float32 in any case: the affinity's exponents need it.
    """
    assert not model.training
    parameter = next(model.parameters())
    if precision is None:
        precision = fastest_precision(parameter.device) if parameter.dtype == torch.float32 else parameter.dtype
    fast = copy.deepcopy(model)
    if model.config.network == "stm" and precision == torch.float32:
        # Its aggregation amplifies the last bit: any other order of sums moves 0.4 % of a clip's probabilities by
        # 1e-3 (float64 moves 13 %), so what agrees with the published network is left alone.
        return fast
    _fold_batch_norm(fast)
    fast.to(precision, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for projection in fast.key_projections():
        projection.to(torch.promote_types(precision, torch.float32))
    if parameter.device.type == "cpu" and precision == torch.float32:
        use_cpu_layers(fast)
    return fast


def fastest_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where matrix units compute it, else float32: vector units gain less from it than from Winograd."""
    has_matrix_units = device.type == "cuda" or cpu_capabilities().get("amx_bf16", False)
    return torch.bfloat16 if has_matrix_units else torch.float32


def cpu_capabilities() -> dict[str, object]:
    """What this CPU is and can do; empty where PyTorch is too old to say."""
    capabilities: Callable[[], dict[str, object]] = getattr(torch.cpu, "get_capabilities", dict)
    return dict(capabilities())


def _fold_batch_norm(network: nn.Module) -> None:
    """Put batch norms into the convolutions before them: conv1 goes with bn1, and in a sequence 0 with 1."""
    for module in network.modules():
        if isinstance(module, MemoryEncoder):
            continue  # STM's: three convolutions are added before its norm
        for name, norm in module.named_children():
            if isinstance(norm, nn.BatchNorm2d):
                before = "0" if isinstance(module, nn.Sequential) else name.replace("bn", "conv")
                setattr(module, before, fuse_conv_bn_eval(module.get_submodule(before), norm))  # type: ignore[type-var]
                setattr(module, name, nn.Identity())
