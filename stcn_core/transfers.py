"""Copies between the host and a GPU that go on while both work. Where there is no GPU they are plain copies.

A copy that the host does not wait for needs page-locked memory. It runs on a stream of its own, beside the device's
work: one stream for each way.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

T = TypeVar("T")


class _Streams(NamedTuple):
    """A device's two ways."""

    up: torch.cuda.Stream
    down: torch.cuda.Stream


@cache
def _streams(device: torch.device) -> _Streams:
    return _Streams(torch.cuda.Stream(device), torch.cuda.Stream(device))


def stacked(arrays: Sequence[np.ndarray | Tensor], device: torch.device) -> Tensor:
    """Arrays, or tensors, of one shape and type as one tensor on the device; the host waits for no GPU."""
    first = arrays[0]
    if isinstance(first, Tensor) and first.device.type != "cpu":
        return torch.stack(list(arrays)).to(device)  # type: ignore[arg-type]
    dtype = first.dtype if isinstance(first, Tensor) else torch.from_numpy(np.empty(0, first.dtype)).dtype
    whole = torch.empty((len(arrays), *first.shape), dtype=dtype, pin_memory=device.type == "cuda")
    np.stack([np.asarray(array) for array in arrays], out=whole.numpy())
    return _uploaded(whole, device) if device.type == "cuda" else whole.to(device)


def page_locked(num_bytes: int, device: torch.device) -> Tensor:
    """Bytes of the host that `device` copies by itself: uint8 (num_bytes,), not initialised."""
    return torch.empty(num_bytes, dtype=torch.uint8, pin_memory=device.type == "cuda")


def stacked_in_place(tensors: Sequence[Tensor], device: torch.device) -> Tensor:
    """Tensors of one shape and type as one tensor on the device, without another copy on the host.

    tensors: of page-locked memory, so that the host waits for no GPU; or on the device.
    """
    if tensors[0].device == device:
        return torch.stack(list(tensors))
    compute, up = torch.cuda.current_stream(device), _streams(device).up
    with torch.cuda.stream(up):
        whole = torch.empty((len(tensors), *tensors[0].shape), dtype=tensors[0].dtype, device=device)
        for place, tensor in zip(whole, tensors, strict=True):
            place.copy_(tensor, non_blocking=True)
    return _handed_over(whole, compute, up)


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on the device; the host waits for no GPU."""
    return values if values.device == device else stacked([values], device)[0]


def _uploaded(locked: Tensor, device: torch.device) -> Tensor:
    compute, up = torch.cuda.current_stream(device), _streams(device).up
    with torch.cuda.stream(up):
        on_device = locked.to(device, non_blocking=True)
    return _handed_over(on_device, compute, up)


def _handed_over(on_device: Tensor, compute: torch.cuda.Stream, up: torch.cuda.Stream) -> Tensor:
    """A tensor that stream `up` made, for use on `compute`, which waits for it."""
    compute.wait_stream(up)
    on_device.record_stream(compute)
    return on_device


class HostCopies:
    """Copies of tensors on the host, which a GPU makes while it works on."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        """Begin the copies, of what the tensors will hold once the work so far is done."""
        device, self._arrived = tensors[0].device, None
        if device.type != "cuda":
            self._values = [tensor.cpu() for tensor in tensors]
            return
        self._values = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in tensors]
        down, self._arrived = _streams(device).down, torch.cuda.Event()
        down.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(down):
            for tensor, copy in zip(tensors, self._values, strict=True):
                copy.copy_(tensor, non_blocking=True)
                tensor.record_stream(down)
            self._arrived.record(down)

    def numpy(self) -> list[np.ndarray]:
        """Wait for the copies, and return them."""
        if self._arrived is not None:
            self._arrived.synchronize()
            self._arrived = None
            self._values = [values.clone() for values in self._values]  # page-locked memory is for copies under way
        return [values.numpy() for values in self._values]


def one_behind(made: Iterable[T], device: torch.device) -> Iterator[T]:
    """Hand each on when the next has been made, since a GPU copies it meanwhile; without a GPU at once."""
    if device.type != "cuda":
        yield from made
        return
    last: list[T] = []
    for item in made:
        yield from last
        last = [item]
    yield from last
