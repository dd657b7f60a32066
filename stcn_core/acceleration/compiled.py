"""A network whose steps `torch.compile` has fused, for a GPU: all of them before the first clip, and none later.

Frames, objects, height and width are symbols in what is compiled, so ten graphs serve all calls, and nothing is padded
to a bucket. A call that no graph serves, as of frames with 16 lines, runs uncompiled.

Shapes: B images, O objects, C channels, H x W pixels, h x w = H/16 x W/16.
"""

import logging
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from stcn_core.acceleration.float32_products import float32_products
from stcn_core.acceleration.symbolic_sizes import many_graphs, symbolic
from stcn_core.models.network import Network, Query
from stcn_core.models.wrapped_network import WrappedNetwork

LOG = logging.getLogger("stcn_core")
FRAMES, OBJECTS = (5, 1), (3, 1)  # compiled for: to PyTorch 1 is a constant, and any other number stands for all others
SIZE = (480, 864)  # pixels: kernels are tuned to it, and serve any other
MOST_LETTERS = 300  # of an error in the log
Backend = str | Callable[..., Any]


def compiled(
    model: Network,
    *,
    size: tuple[int, int] = SIZE,
    frames: Sequence[int] = FRAMES,
    objects: Sequence[int] = OBJECTS,
    backend: Backend = "inductor",
) -> Network:
    """A network, in its form for inference, with compiled steps; the network itself where they cannot be compiled.

    Takes minutes, or less where PyTorch's cache on disk has them. Masks are equal up to rounding. Where compiling
    fails, the log says so in a line. A network that amplifies rounding stays as it is in float32.

    size: (height, width) to which kernels are tuned, multiples of 16. frames, objects: numbers to compile for, of which
    all but 1 are alike. backend: as of `torch.compile`.
    """
    if model.amplifies_rounding and next(model.parameters()).dtype == torch.float32:
        return model
    network = CompiledNetwork(model, backend)
    try:
        network.compile_steps(size, frames, objects)
    except Exception as error:  # of the compiler, of what it calls, or of a network that it cannot trace
        paragraph = str(error).strip().partition("\n\n")[0]  # of what may be pages
        told = textwrap.shorten(paragraph, MOST_LETTERS, placeholder=" ...")
        LOG.warning("the network runs uncompiled, which is slower: %s: %s", type(error).__name__, told)
        return model
    return network


class CompiledNetwork(WrappedNetwork):
    """Calls a network's steps as they were compiled. Preprocessing stays as it is: ten of some hundred launches."""

    def __init__(self, network: Network, backend: Backend) -> None:
        super().__init__(network)
        self._stance, self._logged = "default", set[str]()

        def queries(images: Tensor) -> tuple[Tensor, ...]:
            self._note_if_uncompiled("encode_query", images)
            return tuple(vars(network.encode_query(_joined(images))).values())

        def memories(images: Tensor, masks: Tensor, *query: Tensor) -> tuple[Tensor, Tensor]:
            self._note_if_uncompiled("encode_memory", masks)
            return network.encode_memory(_joined(images), _query(query), _joined(masks))

        def segments(readout: Tensor, *query: Tensor) -> Tensor:
            self._note_if_uncompiled("segment", readout)
            return network.segment(readout, _query(query))

        self._queries, self._memories, self._segments = (
            torch.compile(step, fullgraph=True, backend=backend) for step in (queries, memories, segments)
        )

    @torch.inference_mode()  # as propagation works: graphs serve no other tensors
    def compile_steps(self, size: tuple[int, int], frames: Sequence[int], objects: Sequence[int]) -> None:
        """Compile every step for these numbers, by calling it. No later call compiles."""
        parameter = next(self.parameters())

        def drawn(batch: int, channels: int, dtype: torch.dtype) -> Tensor:
            return _cut(torch.rand((batch, channels, *size), device=parameter.device).to(dtype))

        with many_graphs():
            for batch in frames:
                pieces = symbolic(drawn(batch, 3, parameter.dtype), 0, 2, 4)
                query = [symbolic(part, 0, 2, 3) for part in _parts(_query(self._call(self._queries, pieces)))]
                for number in objects:
                    of_masks = torch.promote_types(parameter.dtype, torch.float32)
                    masks = symbolic(drawn(batch, number, of_masks), 0, 1, 2, 4)
                    _, value = self._call(self._memories, pieces, masks, *query)
                    self._call(self._segments, symbolic(_channels_last(value), 0, 1, 3, 4), *query)
        self._stance = "eager_on_recompile"

    def encode_query(self, images: Tensor) -> Query:
        """As Network says."""
        return _query(self._call(self._queries, _cut(images)))

    def encode_memory(self, images: Tensor, query: Query, masks: Tensor) -> tuple[Tensor, Tensor]:
        """As Network says."""
        key, value = self._call(self._memories, _cut(images), _cut(masks), *_parts(query))
        return key, value

    def segment(self, readout: Tensor, query: Query) -> Tensor:
        """As Network says."""
        probabilities: Tensor = self._call(self._segments, _channels_last(readout), *_parts(query))
        return probabilities

    def _call(self, step: Callable[..., Any], *tensors: Tensor) -> Any:
        """Call in the modes in which it was compiled: others would be other graphs."""
        parameter = next(self.parameters())
        with (
            torch.inference_mode(),
            float32_products(parameter.device, parameter.dtype),
            torch.compiler.set_stance(self._stance),
        ):
            return step(*tensors)

    def _note_if_uncompiled(self, step: str, tensor: Tensor) -> None:
        if not torch.compiler.is_compiling() and step not in self._logged:
            self._logged.add(step)
            LOG.warning("%s of a tensor %s runs uncompiled: no graph serves it", step, tuple(tensor.shape))


def _query(parts: Sequence[Tensor]) -> Query:
    key, value, f16, f8, f4 = parts
    return Query(key=key, value=value, f16=f16, f8=f8, f4=f4)


def _parts(query: Query) -> list[Tensor]:
    """As a rule they lie so; queries of several calls that were joined may not."""
    return [part.contiguous(memory_format=torch.channels_last) for part in vars(query).values()]


def _cut(images: Tensor) -> Tensor:
    """(B, C, H, W) -> B, C, h, 16, w, 16: then the compiler knows that all strides divide the size."""
    cut: Tensor = images.contiguous().unflatten(3, (-1, 16)).unflatten(2, (-1, 16))
    return cut


def _joined(images: Tensor) -> Tensor:
    """(B, C, h, 16, w, 16) -> B, C, H, W."""
    return images.flatten(4, 5).flatten(2, 3)


def _channels_last(readout: Tensor) -> Tensor:
    """(B, O, C, h, w) with channels innermost in memory, as reads leave it unless banks were joined."""
    pairs = readout.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    parted: Tensor = pairs.unflatten(0, readout.shape[:2])
    return parted
