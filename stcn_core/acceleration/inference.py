"""A network's form for inference: the same masks up to rounding, faster.

Convolutions absorb the batch norms after them, activations lie channels-last, and on a CPU `cpu_layers` exchanges the
layers.
"""

import copy
import logging

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stcn_core.acceleration.convolution_choice import bfloat16_feature
from stcn_core.acceleration.cpu_layers import use_cpu_layers
from stcn_core.models.network import Network

LOG = logging.getLogger("stcn_core")


def for_inference(model: Network, precision: torch.dtype | None = None) -> Network:
    """Copy a network in evaluation mode into a form that segments faster, and can no longer be trained or saved.

    precision: the type of activations. None: for a float32 model the device's `fastest_precision`, else the model's
    own type. Keys come out in float32 at least: the affinity's exponents need it.
    """
    assert not model.training
    parameter = next(model.parameters())
    if precision is None:
        precision = fastest_precision(parameter.device) if parameter.dtype == torch.float32 else parameter.dtype
    if model.amplifies_rounding and precision == torch.float32:
        return copy.deepcopy(model)
    fast = folded(model, precision)
    if parameter.device.type == "cpu" and precision in (torch.float32, torch.bfloat16):
        use_cpu_layers(fast)
    return fast


def folded(model: Network, precision: torch.dtype) -> Network:
    """Copy a network into the form of GPUs: batch norms folded, channels-last, keys in float32 at least."""
    fast = copy.deepcopy(model)
    _fold_batch_norm(fast)
    fast.to(precision, memory_format=torch.channels_last)  # type: ignore[call-overload]
    for projection in fast.key_projections():
        projection.to(torch.promote_types(precision, torch.float32))
    return fast


def fastest_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where a GPU or a CPU has instructions for it, else float16 on a GPU with tensor cores, else float32.

    On an AMD EPYC (Zen 4, no AMX) bfloat16 convolutions reach 450 GFLOP/s on 2 cores, and float32 ones 225. GPUs
    before Ampere (T4, V100) compute bfloat16 by emulation.
    """
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
        has_tensor_cores = torch.cuda.get_device_capability(device) >= (7, 0)
        precision = torch.float16 if has_tensor_cores else torch.float32
        name = torch.cuda.get_device_name(device)
        LOG.warning("%s has no bfloat16: the network computes in %s", name, str(precision).removeprefix("torch."))
        return precision
    return torch.float32 if bfloat16_feature() is None else torch.bfloat16


def _fold_batch_norm(network: Network) -> None:
    """Replace convolutions by ones that do the work of the norms after them, and those norms by identities."""
    for module, conv, norm in list(network.foldable_norms()):
        folded = fuse_conv_bn_eval(module.get_submodule(conv), module.get_submodule(norm))  # type: ignore[arg-type, type-var]
        setattr(module, conv, folded)
        setattr(module, norm, nn.Identity())
