"""Which memory frame gives way to a new one where memory is bounded: one function for each policy, by name.

Needs no torch.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stcn_core.registry import Registry


class MemoryFrame(NamedTuple):
    """A frame that is memorised."""

    frame_index: int  # in the clip
    permanent: bool = True  # a temporary one is replaced by the next one that is memorised
    prompted: bool = False


EvictionRule = Callable[[Sequence[MemoryFrame], Sequence[float]], int | None]
"""Takes the permanent memory frames, in no order, and the usage of each: the attention that it has received, divided by
the query positions that were read for since it was memorised. Returns the position of the frame to evict; None: all
stay, and memory grows by a frame."""


class MemoryPolicy(NamedTuple):
    """A rule, and whether it looks at usage. Usage is only measured for rules that do; others see zeros."""

    choose: EvictionRule
    needs_usage: bool = False


def evictable(frames: Sequence[MemoryFrame]) -> list[int]:
    """Positions of the frames that are neither prompted nor the latest."""
    latest = max(frame.frame_index for frame in frames)
    return [at for at, frame in enumerate(frames) if not frame.prompted and frame.frame_index != latest]


def keep_recent(frames: Sequence[MemoryFrame], usage: Sequence[float]) -> int | None:
    """Evict the earliest frame."""
    return min(evictable(frames), key=lambda at: frames[at].frame_index, default=None)


def keep_spread(frames: Sequence[MemoryFrame], usage: Sequence[float]) -> int | None:
    """Evict the frame that leaves the smallest gap, so that frames stay evenly spread over the clip."""
    indices = [frame.frame_index for frame in frames]
    return min(evictable(frames), key=lambda at: (_gap_without(indices, indices[at]), indices[at]), default=None)


def keep_used(frames: Sequence[MemoryFrame], usage: Sequence[float]) -> int | None:
    """Evict the frame least frequently used, as XMem's long-term memory does (ECCV 2022, section 3.3)."""
    return min(evictable(frames), key=lambda at: (usage[at], frames[at].frame_index), default=None)


POLICIES: Registry[MemoryPolicy] = Registry(
    "memory_policy",
    {
        "recent": MemoryPolicy(keep_recent),
        "spread": MemoryPolicy(keep_spread),
        "used": MemoryPolicy(keep_used, needs_usage=True),
    },
    register="stcn_core.register_memory_policy",
)


def register_memory_policy(name: str, choose: EvictionRule, *, needs_usage: bool = False) -> None:
    """Make a policy legal under `name` in `PropagationConfig.memory_policy`.

    choose: takes memory frames and their usage, returns the position of the one to evict, or None.
    needs_usage: whether `choose` looks at usage. Raises ValueError for the name of a built-in policy.
    """
    POLICIES.register(name, MemoryPolicy(choose, needs_usage))


def policy_names() -> tuple[str, ...]:
    """The legal values of `PropagationConfig.memory_policy`."""
    return POLICIES.names()


def choose_eviction(frames: Sequence[MemoryFrame], usage: Sequence[float], policy_name: str) -> int | None:
    """The position in `frames` of the one to evict for a new one; None if all stay.

    Raises ValueError for an unknown policy, and for a policy whose answer is no position.
    """
    position = POLICIES[policy_name].choose(frames, usage)
    if position is not None and position not in range(len(frames)):
        raise ValueError(f"memory_policy={policy_name!r} returned {position!r}; legal: None, or 0 to {len(frames) - 1}")
    return position


def _gap_without(indices: Sequence[int], index: int) -> int:
    """Frames of the clip from the memory frame before `index` to the one after it."""
    before = max((other for other in indices if other < index), default=index)
    return min(other for other in indices if other > index) - before
