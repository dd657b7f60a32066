"""Prompts of a part of a video: its segmented window, or a clip."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.frame_size import fit
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.records import Entry
from stcn_core.frames import prompted_frames

NAMED = 10  # frames that a note lists


def prompts_in_window(prompts: Prompts, entry: Entry, height: int, *, width: int) -> Prompts:
    """Prompts from `start` to before `end`, resized to the frame and counted from `start`. Raises PromptError."""
    labels = {
        frame - entry.start: fit(labels, height, width)
        for frame, labels in prompts.labels.items()
        if frame >= entry.start and (entry.end is None or frame < entry.end)
    }
    if not labels:
        raise PromptError(
            f"no object is prompted on the frames that are segmented, start={entry.start} to before end={entry.end}; "
            f"there are prompts on frames {sorted(prompts.labels)[:50]}, counted from the video's first"
        )
    return replace(
        prompts,
        labels=labels,
        removals=_removals(prompts.removals, entry, labels),
        read=tuple(read for read in prompts.read if read.frame - entry.start in labels),
        notes=(*prompts.notes, *_left_out(sorted(prompts.labels.keys() - {frame + entry.start for frame in labels}))),
    )


def _left_out(frames: Sequence[int]) -> Iterator[str]:
    """What to say of prompts outside the window."""
    if frames:
        named = ", ".join(map(str, frames[:NAMED])) + (", ..." if len(frames) > NAMED else "")
        yield f"prompts outside start and end are not used: {len(frames)}, of the frames {named}"


def prompts_in_clip(prompts: Prompts, first: int, end: int | None) -> Prompts:
    """Prompts from the frame `first` to before `end`, counted from `first`."""

    def is_inside(frame: int) -> bool:
        return frame >= first and (end is None or frame < end)

    labels = {frame - first: labels for frame, labels in prompts.labels.items() if is_inside(frame)}
    objects = prompted_frames(labels).keys()
    removals = {frame - first: ids & objects for frame, ids in prompts.removals.items() if is_inside(frame)}
    return replace(prompts, labels=labels, removals={frame: ids for frame, ids in removals.items() if ids})


def _removals(removals: Mapping[int, set[int]], entry: Entry, labels: Mapping[int, np.ndarray]) -> dict[int, set[int]]:
    """Removals of objects that were prompted in the window before."""
    firsts = {object_id: frames[0] + entry.start for object_id, frames in prompted_frames(labels).items()}
    in_window = {
        frame - entry.start: {i for i in ids if i in firsts and firsts[i] < frame}
        for frame, ids in removals.items()
        if entry.end is None or frame < entry.end
    }
    return {frame: ids for frame, ids in in_window.items() if ids}
