"""One network for many clips: clips that are propagated at the same time share each of its calls.

    shared = SharedNetwork(model, at_once=8)
    clips = [shared.clip() for _ in videos]  # in one thread: their order decides who shares calls with whom

    def work(number):  # in a thread for each
        with clips[number] as network:
            for result in propagate(network, frames[number], prompts[number]): ...

A GPU needs larger batches than one clip has: between two memory frames that is five frames. State is a clip's own, and
networks are batched over images, so `propagate` and `Session` take a clip's network as they take any.
"""

import logging
from collections.abc import Sequence
from types import TracebackType

import torch
from torch import Tensor

from stcn_core.acceleration.call_batches import METHODS, alike, num_pixels, run_together
from stcn_core.acceleration.call_rounds import Call, Rounds
from stcn_core.models.network import Network, Query
from stcn_core.models.wrapped_network import WrappedNetwork

LOG = logging.getLogger("stcn_core")
MAX_PIXELS = 128 * 480 * 864  # of the rows of one call; STCN's decoder holds up to 80 bytes for each: 4 GB


class SharedNetwork:
    """Runs the calls of all clips under way in rounds: once each clip waits for a call, those of one method are one.

    Masks equal those of each clip alone, up to the rounding of another batch. The same clips in the same order give the
    same bytes. An error of a shared call is found again call by call, and raised in the clip that it is of.
    """

    def __init__(self, model: Network, *, at_once: int, max_pixels: int = MAX_PIXELS) -> None:
        """model: in evaluation mode. at_once: clips that share calls; further ones wait at their first call.

        max_pixels: of one call, over its frames and objects; more are several calls. It is halved where a GPU's memory
        runs out.
        """
        if at_once < 1:
            raise ValueError(f"at_once={at_once} is not usable; legal: at least 1")
        self._model, self._max_pixels = model, max_pixels
        self._rounds = Rounds(self._run, methods=METHODS, seats=at_once)

    def clip(self) -> "ClipNetwork":
        """The network of one clip. Others wait for its calls from now on, until its `with` block ends."""
        return ClipNetwork(self._model, self._rounds)

    def close(self) -> None:
        """End the thread that runs the calls."""
        self._rounds.close()

    def __enter__(self) -> "SharedNetwork":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @torch.inference_mode()
    def _run(self, calls: Sequence[Call]) -> None:
        """Set the results of calls of one method."""
        for places in alike(calls[0].method, [call.arguments for call in calls]):
            left = [calls[place] for place in places]
            while left:
                if self._run_alike(some := self._first(left)):
                    left = left[len(some) :]

    def _first(self, calls: Sequence[Call]) -> list[Call]:
        """The first calls that do not have too many pixels together; one at least."""
        some: list[Call] = []
        for call in calls:
            if some and _pixels([*some, call]) > self._max_pixels:
                break
            some.append(call)
        return some

    def _run_alike(self, calls: Sequence[Call]) -> bool:
        """Set the results of calls that run as one; False if a GPU's memory has no room for so many."""
        try:
            results = run_together(self._model, calls[0].method, [call.arguments for call in calls])
        except torch.OutOfMemoryError as error:
            if len(calls) > 1:
                self._max_pixels = _pixels(calls) // 2
                LOG.warning("out of GPU memory: calls that %d clips share go on in halves", len(calls))
                torch.cuda.empty_cache()  # what is cached in other sizes
                return False
            calls[0].result.set_exception(error)
        except Exception as error:
            if len(calls) == 1:
                calls[0].result.set_exception(error)
            else:  # one of them is to blame, and the others have their results
                for call in calls:
                    self._run_alike([call])
        else:
            for call, result in zip(calls, results, strict=True):
                call.result.set_result(result)
        return True


def _pixels(calls: Sequence[Call]) -> int:
    return sum(num_pixels(call.method, call.arguments) for call in calls)


class ClipNetwork(WrappedNetwork):
    """A network whose calls are those of a `SharedNetwork`. All else is the model's own.

    A context manager. One thread at a time may use it, and no thread may use two: each would wait for the other.
    """

    def __init__(self, model: Network, rounds: Rounds) -> None:
        super().__init__(model)
        self.seat = rounds.join()

    def __enter__(self) -> "ClipNetwork":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.seat.leave()

    def encode_query(self, images: Tensor) -> Query:
        query: Query = self.seat.ask("encode_query", images)
        return query

    def encode_memory(self, images: Tensor, query: Query, masks: Tensor) -> tuple[Tensor, Tensor]:
        memorised: tuple[Tensor, Tensor] = self.seat.ask("encode_memory", images, query, masks)
        return memorised

    def segment(self, readout: Tensor, query: Query) -> Tensor:
        planes: Tensor = self.seat.ask("segment", readout, query)
        return planes
