"""A CUDA device without values: PyTorch's fake tensors, which raise where an operation mixes devices.

So whole clips of any size run in seconds, and the operations that a GPU would be sent are counted. All that crosses
between host and device goes through `stcn_core.transfers`, whose two ways are replaced here: code that crosses
elsewhere meets a tensor without values, and raises.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stcn_core import masks, transfers
from stcn_core.propagation import bidirectional, frame_stream, full_size, masks_in_flight
from tests.core.devices.operations import core_line, idle_guard, is_composite

GPU = torch.device("cuda", 0)
MOVES_NOTHING = {
    "view", "_unsafe_view", "reshape", "transpose", "permute", "slice", "select", "unsqueeze", "squeeze", "expand",
    "split", "split_with_sizes", "unbind", "t", "detach", "alias", "as_strided", "unflatten", "_reshape_alias",
    "unfold", "empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided", "narrow", "lift_fresh",
}  # fmt: skip


M = TypeVar("M", bound=nn.Module)


class Launches(TorchDispatchMode):
    """Counts the operations that a GPU is sent, by name and by line of `stcn_core`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "prim":  # a question about a tensor
            return func(*args, **kwargs)
        if is_composite(func) and "upsample" not in func.name():  # which are kernels of a GPU
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        name = func._schema.name.split("::")[1]
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        if name not in MOVES_NOTHING and any(tensor.device.type == "cuda" for tensor in tensors):
            self.operations[name] += 1
            self.lines[core_line()] += 1
        return result


@contextmanager
def fake_cuda() -> Iterator[Launches]:
    """Enter a fake device; yields the count of its operations."""
    with idle_guard(), pytest.MonkeyPatch.context() as patch, FakeTensorMode(), Launches() as launches:
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        for module in (transfers, frame_stream):
            patch.setattr(module, "stacked", _stacked)
        for module in (masks_in_flight, bidirectional):
            patch.setattr(module, "HostCopies", _HostCopies)
        for module in (masks, full_size, bidirectional):
            patch.setattr(module, "to_device", _to_device)
        yield launches


def on_fake_cuda(model: M) -> M:
    """Put a module's parameters and buffers on the entered device, in place, without their values."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(_like(parameter), requires_grad=False)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = _like(buffer)
    return model


def _like(values: Tensor) -> Tensor:
    return torch.empty_strided(values.shape, values.stride(), dtype=values.dtype, device=GPU)


def _stacked(arrays: Sequence[np.ndarray], device: torch.device) -> Tensor:
    dtype = getattr(torch, str(arrays[0].dtype))
    return torch.empty((len(arrays), *arrays[0].shape), dtype=dtype, device=device)


def _to_device(values: Tensor, device: torch.device) -> Tensor:
    return torch.empty(values.shape, dtype=values.dtype, device=device)


class _HostCopies:
    """Zeros of the sizes that would arrive."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        assert all(tensor.device.type == "cuda" for tensor in tensors), "a result of the host"
        self._shapes = [(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")) for tensor in tensors]

    def numpy(self) -> list[np.ndarray]:
        return [np.zeros(shape, dtype) for shape, dtype in self._shapes]
