"""Which memory frames stay where memory is bounded: the prompts, the most recent, and what a policy chooses."""

from collections.abc import Sequence
from typing import NamedTuple

from stcn_core.config import MemoryPolicy


class MemoryFrame(NamedTuple):
    """A frame that is memorised."""

    frame_index: int  # in the clip
    permanent: bool = True  # or replaced by the next one that is memorised
    prompted: bool = False


def choose_eviction(frames: Sequence[MemoryFrame], usage: Sequence[float], policy: MemoryPolicy) -> int | None:
    """The position in `frames` of the one to drop for a new one; None if all must stay.

    usage: the share of attention that each frame has had since it was memorised, for the policy "used".
    """
    latest = max(frame.frame_index for frame in frames)
    free = [at for at, frame in enumerate(frames) if not frame.prompted and frame.frame_index != latest]
    if not free:
        return None
    if policy == "used":  # least frequently used, as XMem's long-term memory (ECCV 2022, section 3.3)
        return min(free, key=lambda at: (usage[at], frames[at].frame_index))
    if policy == "spread":
        return min(free, key=lambda at: (_gap_without(frames, frames[at].frame_index), frames[at].frame_index))
    return min(free, key=lambda at: frames[at].frame_index)


def _gap_without(frames: Sequence[MemoryFrame], index: int) -> int:
    """Frames of the clip between the neighbours of memory frame `index`: what would lie open without it."""
    before = max((frame.frame_index for frame in frames if frame.frame_index < index), default=index)
    return min(frame.frame_index for frame in frames if frame.frame_index > index) - before
