"""What to do when a GPU's memory runs out: go on with smaller batches, and say so."""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")

LOG = logging.getLogger("stcn_core")


def halve_batch_on_oom(run: Callable[[int], T], batch: int, what: str) -> tuple[T, int]:
    """The result of `run(batch)`, and the batch it was: half as large, and half again, where memory did not suffice.

    Raises torch.OutOfMemoryError where a batch of 1 does not fit.
    """
    while True:
        try:
            return run(batch), batch
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
        batch //= 2
        LOG.warning("out of GPU memory: %s goes on in batches of %d", what, batch)
        torch.cuda.empty_cache()  # what is cached in other sizes
