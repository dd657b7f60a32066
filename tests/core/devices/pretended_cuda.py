"""A CUDA device that is pretended: its tensors say "cuda" and hold values of the CPU.

So the code for GPUs runs on any machine, with the values that it would have. An operation on tensors of two devices
raises, as on a GPU, and each wait of the host for the device is counted with the line of `stcn_core` that waits.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from stcn_core import transfers
from tests.core.devices.operations import core_line, idle_guard, is_composite

CUDA = torch.device("cuda", 0)
MAKES_HOST_VALUES = {
    "_local_scalar_dense", "item", "nonzero", "bincount", "unique", "_unique2", "unique_consecutive", "unique_dim",
    "masked_select", "is_nonzero", "equal", "repeat_interleave.Tensor",
}  # fmt: skip
MOVES = {"_to_copy", "copy_", "to"}
ACCEPTS_HOST_INDICES = {"index", "index_put_", "_index_put_impl_"}


M = TypeVar("M", bound=nn.Module)


class PretendedTensor(Tensor):
    """Says that it lies on a GPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> "PretendedTensor":
        with torch.inference_mode(False):  # parameters are no inference tensors, and views are as their bases are
            made: PretendedTensor = Tensor._make_wrapper_subclass(
                cls, values.size(), strides=values.stride(), storage_offset=values.storage_offset(),
                dtype=values.dtype, device=CUDA,
            )  # fmt: skip
        made.held = values
        return made

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"PretendedTensor({tuple(self.shape)}, {self.dtype})"

    def tolist(self) -> Any:  # reads the storage without an operation
        PretendedCuda.current().waits["tolist", core_line()] += 1
        return self.held.tolist()

    def record_stream(self, stream: object) -> None:
        """Keep the memory until the stream has used it."""

    def __deepcopy__(self, memo: object) -> "PretendedTensor":
        return PretendedTensor(self.held.clone())

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return PretendedCuda.current().run(func, args, kwargs or {})


class PretendedCuda(TorchDispatchMode):
    """The device, while it is entered; `waits` counts (what, where) the host waits."""

    _current: "PretendedCuda | None" = None

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits: Counter[tuple[str, str]] = Counter()
        self._pinned: dict[int, Tensor] = {}  # by address; kept, so that no other tensor gets the address

    @classmethod
    def current(cls) -> "PretendedCuda":
        assert cls._current is not None, "the pretended device is not entered"
        return cls._current

    def __enter__(self) -> "PretendedCuda":
        PretendedCuda._current = self
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """One operation, or those that it is made of."""
        if is_composite(func):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        on_device = [tensor for tensor in tensors if isinstance(tensor, PretendedTensor)]
        name, asked = func._schema.name.split("::")[1], kwargs.get("device")
        self._count_waits(func, name, args, on_host=len(tensors) - len(on_device), on_device=len(on_device), to=asked)
        if on_device and name not in MOVES | ACCEPTS_HOST_INDICES:
            _check_one_device(name, tensors)
        lands_on_device = _is_gpu(asked) if asked is not None else bool(on_device)
        if name == "copy_":
            lands_on_device = isinstance(args[0], PretendedTensor)
        return self._computed(func, args, kwargs, wrappers=on_device, on_device=lands_on_device)

    def _computed(self, func: Any, args: Any, kwargs: dict[str, Any], *, wrappers: Any, on_device: bool) -> Any:
        pins = bool(kwargs.pop("pin_memory", False))
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        args, kwargs = tree_map_only(PretendedTensor, lambda tensor: tensor.held, (args, kwargs))
        with torch._C._DisableTorchDispatch():
            result = func(*args, **kwargs)
        if pins:
            self._pinned[result.untyped_storage().data_ptr()] = result
        if not on_device:
            return result
        known = {id(wrapper.held): wrapper for wrapper in wrappers}  # of in-place operations

        def wrapped(tensor: Tensor) -> Tensor:
            return known[id(tensor)] if id(tensor) in known else PretendedTensor(tensor)

        return tree_map_only(Tensor, wrapped, result)

    def _count_waits(self, func: Any, name: str, args: Any, *, on_host: int, on_device: int, to: Any) -> None:
        if name in MOVES:
            target = args[0] if name == "copy_" else None
            source = args[1] if name == "copy_" else args[0]
            if to is None and target is None:  # to another type
                return
            goes_up = isinstance(target, PretendedTensor) or (to is not None and _is_gpu(to))
            if isinstance(source, PretendedTensor) == goes_up:
                return
            host = source if goes_up else target
            if not (host is not None and self._is_pinned(host)):
                self.waits["upload of pageable memory" if goes_up else "download", core_line()] += 1
        elif on_device and {name, str(func).removeprefix("aten.")} & MAKES_HOST_VALUES:
            self.waits[name, core_line()] += 1
        elif on_device and name in ACCEPTS_HOST_INDICES:
            for index in tree_leaves(args[1]):
                if isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8):
                    self.waits["boolean index", core_line()] += 1
                elif isinstance(index, Tensor) and not isinstance(index, PretendedTensor):
                    self.waits["index from the host", core_line()] += 1

    def _is_pinned(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self._pinned


class PretendedEvent:
    """A point in a stream's work, which the host waits for."""

    def record(self, stream: object = None) -> None:
        """Stand in the stream here."""

    def synchronize(self) -> None:
        """Count a wait."""
        PretendedCuda.current().waits["event", core_line()] += 1


class PretendedStream:
    """A queue of work. Work is done at once here."""

    def __init__(self, device: object = None) -> None:
        """Make a queue."""

    def wait_stream(self, other: "PretendedStream") -> None:
        """Wait on the device for another queue: not on the host."""


@contextmanager
def pretended_cuda() -> Iterator[PretendedCuda]:
    """Enter a pretended device, with the parts of `torch.cuda` that stcn_core calls."""
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        with idle_guard(), pytest.MonkeyPatch.context() as patch, PretendedCuda() as device:
            patch.setattr(torch.cuda, "_lazy_init", lambda: None)
            patch.setattr(torch.cuda, "Event", PretendedEvent)
            patch.setattr(torch.cuda, "Stream", PretendedStream)
            patch.setattr(torch.cuda, "stream", nullcontext)
            patch.setattr(torch.cuda, "current_stream", PretendedStream)
            patch.setattr(transfers, "_streams", transfers._streams.__wrapped__)  # none is kept
            yield device
    finally:
        torch._C._set_only_lift_cpu_tensors(False)
        PretendedCuda._current = None


def on_pretended_cuda(model: M) -> M:
    """Put a module's parameters and buffers on the pretended device, in place."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(PretendedTensor(parameter.data), requires_grad=False)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = PretendedTensor(buffer)
    return model


def _is_gpu(device: torch.device | str) -> bool:
    """Where "cuda" has no index, the idle guard names the current device, and says "meta"."""
    return torch.device(device).type in ("cuda", "meta")


def _check_one_device(name: str, tensors: list[Tensor]) -> None:
    for tensor in tensors:
        if not isinstance(tensor, PretendedTensor) and tensor.dim() > 0:
            raise RuntimeError(
                f"{name} at {core_line()} takes a tensor {tuple(tensor.shape)} of the host with the GPU's"
            )
