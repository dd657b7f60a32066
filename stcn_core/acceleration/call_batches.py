"""Calls of one method of a network as one call: their tensors concatenated, and its results cut apart again.

Shapes: B images of a call, O objects, H x W pixels, h x w = H/16 x W/16.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from stcn_core.models.network import Network, Query

Arguments = tuple[Any, ...]
METHODS = ("encode_query", "encode_memory", "segment")  # in the order in which a block calls them


def num_rows(method: str, arguments: Arguments) -> int:
    """Images of H x W pixels that a call takes through the network: one for each frame, or frame and object."""
    first: Tensor = arguments[0]
    if method == "encode_query":
        return len(first)
    objects = arguments[2].shape[1] if method == "encode_memory" else first.shape[1]
    return len(first) * int(objects)


def num_pixels(method: str, arguments: Arguments) -> int:
    """Pixels of all rows of a call."""
    height, width = arguments[0].shape[-2:]
    scale = 16 if method == "segment" else 1  # a readout has a position for 16 x 16 pixels
    return num_rows(method, arguments) * int(height * width) * scale**2


def alike(method: str, calls: Iterable[Arguments]) -> list[list[int]]:
    """Groups of calls, by their places, that can run as one: those of one size, and of one number of objects.

    Calls of `segment` may differ in objects.
    """
    groups: dict[object, list[int]] = defaultdict(list)
    for place, arguments in enumerate(calls):
        tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
        from_dimension = 2 if method == "segment" else 1
        key = [(tensor.shape[from_dimension:], tensor.dtype, tensor.device) for tensor in tensors]
        groups[tuple(key)].append(place)
    return list(groups.values())


def run_together(model: Network, method: str, calls: Sequence[Arguments]) -> list[Any]:
    """The result of each call; they are alike."""
    if len(calls) == 1:
        return [getattr(model, method)(*calls[0])]
    run: Callable[[Network, Sequence[Arguments]], list[Any]] = _TOGETHER[method]
    return run(model, calls)


def _encode_queries(model: Network, calls: Sequence[Arguments]) -> list[Query]:
    query = model.encode_query(torch.cat([images for (images,) in calls]))
    return [query[span] for span in _spans(calls)]


def _encode_memories(model: Network, calls: Sequence[Arguments]) -> list[tuple[Tensor, Tensor]]:
    images, queries, masks = zip(*calls, strict=True)
    keys, values = model.encode_memory(torch.cat(images), Query.concatenate(queries), torch.cat(masks))
    return [(keys[span], values[span]) for span in _spans(calls)]


def _segment(model: Network, calls: Sequence[Arguments]) -> list[Tensor]:
    """Where clips have different numbers of objects, each call is cut into parts of 1, 2, 4, 8 ... objects.

    So clips of 5 objects and of 1 share calls, of 4 objects and of 1, in which no row is empty.
    """
    counts = [readout.shape[1] for readout, _ in calls]
    widths = [[count] for count in counts] if len(set(counts)) == 1 else [_powers_of_two(count) for count in counts]
    parts: dict[int, list[tuple[int, Tensor]]] = defaultdict(list)  # by number of objects: call, and its readout
    for place, (readout, _) in enumerate(calls):
        for part in readout.split(widths[place], dim=1):
            parts[part.shape[1]].append((place, part))
    found: list[dict[int, Tensor]] = [{} for _ in calls]
    for width, some in parts.items():
        query = Query.concatenate([calls[place][1] for place, _ in some])
        planes = model.segment(torch.cat([part for _, part in some]), query)
        for (place, _), span in zip(some, _spans([(part,) for _, part in some]), strict=True):
            found[place][width] = planes[span]
    return [
        torch.cat([found[place][width] for width in some], dim=1) if len(some) > 1 else found[place][some[0]]
        for place, some in enumerate(widths)
    ]


def _powers_of_two(count: int) -> list[int]:
    """The powers of two that a number is the sum of, the largest first."""
    return [1 << bit for bit in range(count.bit_length() - 1, -1, -1) if count >> bit & 1]


def _spans(calls: Sequence[Arguments]) -> list[slice]:
    """The places of each call's images in the batch of all of them."""
    spans, start = [], 0
    for arguments in calls:
        end = start + len(arguments[0])
        spans.append(slice(start, end))
        start = end
    return spans


_TOGETHER: dict[str, Callable[[Network, Sequence[Arguments]], list[Any]]] = {
    "encode_query": _encode_queries,
    "encode_memory": _encode_memories,
    "segment": _segment,
}
