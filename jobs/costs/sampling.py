"""Random samples of the videos of a plan."""

import random
from collections.abc import Sequence

from jobs.segmenting.work_item import WorkItem


def sampled(items: Sequence[WorkItem], count: int | None, seed: int = 0) -> list[WorkItem]:
    """A random sample of the videos, in their order; all of them for None. The same seed draws the same videos."""
    if count is None or count >= len(items):
        return list(items)
    return [items[i] for i in sorted(random.Random(seed).sample(range(len(items)), count))]
