"""The prompts on the frames of a video that are segmented."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.gathered import Prompts
from jobs.inputs.prompts.label_images import fit
from jobs.inputs.prompts.load import load_prompts
from jobs.records import Entry
from stcn_core.frames import prompted_frames


def prompts_in_window(path: Path, entry: Entry, names: Sequence[str] | None, size: tuple[int, int]) -> Prompts:
    """The prompts within the entry's window, at the frames' size (height, width); frames count from its start.

    names: of a folder's images. Raises PromptError.
    """
    given = load_prompts(path, entry, names, size)
    labels = {
        frame - entry.start: fit(labels, *size)
        for frame, labels in given.labels.items()
        if frame >= entry.start and (entry.end is None or frame < entry.end)
    }
    if not labels:
        raise PromptError(
            f"no object is prompted on the frames that are segmented, start={entry.start} to before end={entry.end}; "
            f"there are prompts on frames {sorted(given.labels)[:50]}, counted from the video's first"
        )
    return Prompts(labels, given.names, _removals(entry, given.removals, labels))


def cut_out(prompts: Prompts, first: int, end: int | None) -> Prompts:
    """Those on the frames from `first` to before `end`, counted from there."""

    def is_inside(frame: int) -> bool:
        return frame >= first and (end is None or frame < end)

    labels = {frame - first: labels for frame, labels in prompts.labels.items() if is_inside(frame)}
    prompted = prompted_frames(labels)
    removals = {frame - first: ids & set(prompted) for frame, ids in prompts.removals.items() if is_inside(frame)}
    return Prompts(labels, prompts.names, {frame: ids for frame, ids in removals.items() if ids})


def _removals(entry: Entry, given: Mapping[int, set[int]], labels: Mapping[int, np.ndarray]) -> dict[int, set[int]]:
    """By frame of the window, the objects that were prompted in it and are gone from there on."""
    firsts = {object_id: frames[0] for object_id, frames in prompted_frames(labels).items()}
    removals = {
        frame - entry.start: {i for i in ids if i in firsts and firsts[i] + entry.start < frame}
        for frame, ids in given.items()
        if entry.end is None or frame < entry.end
    }
    return {frame: ids for frame, ids in removals.items() if ids}
