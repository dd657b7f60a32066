"""The masks of one file held against criteria: what is dropped, and for which reason first. Arrays alone, no files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.errors import UserError
from jobs.outputs.trust import Flags, Floats
from jobs.records import VideoRow
from jobs.selections.criteria import Criteria

# In the order in which they are asked; a unit counts for the first that drops it.
REASONS = (
    "kept",
    "video",
    "every",
    "empty",
    "prompts",
    "events",
    "min_score",
    "min_stability",
    "min_area",
    "min_cycle",
    "min_trust",
    "best",
    "max_per_video",
)
KEPT = REASONS.index("kept")

Ints = NDArray[np.int64]
Videos = Mapping[str, VideoRow]  # whose masks may be kept, by id


@dataclass(frozen=True, kw_only=True)
class Masks:
    """What is known of the masks of one file, a value a mask; sorted by video, frame and object."""

    ids: list[str]  # its videos
    video: Ints  # index into ids
    frame: Ints
    object_id: Ints
    area: Ints
    score: Floats
    stability: Floats
    is_prompt: Flags
    trust: Floats

    @property
    def is_judged(self) -> Flags:
        """Those that thresholds hold for: no prompts, and nothing where there is no mask."""
        return ~self.is_prompt & (self.area > 0)

    def of_videos(self) -> Iterator[tuple[str, slice]]:
        """The rows of each video."""
        bounds = np.searchsorted(self.video, np.arange(len(self.ids) + 1))
        for video_id, start, end in zip(self.ids, bounds, bounds[1:], strict=False):
            yield video_id, slice(int(start), int(end))


@dataclass(frozen=True, kw_only=True)
class Units:
    """The units of one file, frames or masks, in order: a value a unit."""

    ids: list[str]
    video: NDArray[np.int32]
    masks: NDArray[np.int32]  # how many
    trust: Floats  # the least of its masks; 1 where nothing of it is judged
    is_judged: Flags
    reason: NDArray[np.uint8]  # index into REASONS

    def drop(self, reason: str, flags: Flags) -> None:
        """Note the reason for those that had none before."""
        self.reason[flags & (self.reason == KEPT)] = REASONS.index(reason)

    @property
    def rows(self) -> Flags:
        """Whether each mask of the file is kept."""
        return np.repeat(self.reason == KEPT, self.masks)


def judge(masks: Masks, criteria: Criteria, videos: Videos) -> Units:
    """Hold each unit against the criteria that look at it alone: all but --best and --max-per-video."""
    starts, judged = _starts(masks, criteria.unit), masks.is_judged

    def of_units(flags: Flags) -> Flags:
        return np.logical_or.reduceat(flags, starts)

    is_judged = of_units(judged)
    least = np.minimum.reduceat(np.where(masks.is_prompt, np.float32(1), masks.trust), starts)
    units = Units(
        ids=masks.ids,
        video=masks.video[starts].astype(np.int32),
        masks=np.diff(starts, append=len(masks.video)).astype(np.int32),
        trust=np.where(is_judged, least, np.float32(1)),
        is_judged=is_judged,
        reason=np.zeros(len(starts), np.uint8),
    )
    units.drop("video", ~np.array([name in videos for name in masks.ids])[units.video])
    if criteria.every:
        units.drop("every", (masks.frame - _first_frames(masks))[starts] % criteria.every != 0)
    units.drop("empty", ~of_units(masks.area > 0))
    if not criteria.prompts:
        units.drop("prompts", ~is_judged)
    if not criteria.events:
        units.drop("events", of_units(_in_event(masks, videos) & ~masks.is_prompt))
    for name, values in (("score", masks.score), ("stability", masks.stability), ("area", masks.area)):
        if (least_value := getattr(criteria, f"min_{name}")) is not None:
            units.drop(f"min_{name}", of_units(judged & ~(values >= least_value)))  # a NaN is not enough
    if criteria.min_cycle is not None:
        units.drop("min_cycle", of_units(judged & ~(_cycles(masks, videos) >= criteria.min_cycle)))
    if criteria.min_trust is not None:
        units.drop("min_trust", is_judged & ~(units.trust >= criteria.min_trust))
    return units


def _starts(masks: Masks, unit: str) -> Ints:
    """The first row of each unit."""
    if unit == "mask":
        return np.arange(len(masks.video))
    is_first = (np.diff(masks.video, prepend=-1) != 0) | (np.diff(masks.frame, prepend=-1) != 0)
    return np.flatnonzero(is_first)


def _first_frames(masks: Masks) -> Ints:
    """For each mask the first frame of its video that has any."""
    first = np.searchsorted(masks.video, np.arange(len(masks.ids)))
    frames: Ints = masks.frame[first][masks.video]
    return frames


def _in_event(masks: Masks, videos: Videos) -> Flags:
    """Whether a mask's frame lies in an event of its object."""
    found = np.zeros(len(masks.video), bool)
    for video_id, rows in masks.of_videos():
        frames, objects = masks.frame[rows], masks.object_id[rows]
        for track in (videos[video_id].tracks or ()) if video_id in videos else ():
            for event in track.events:
                start, end = np.searchsorted(frames, (event.first_frame, event.last_frame + 1))
                found[rows][start:end] |= objects[start:end] == track.object_id
    return found


def _cycles(masks: Masks, videos: Videos) -> Floats:
    """The cycle check of each mask's object. Raises UserError if it was not made."""
    cycles = np.zeros(len(masks.video), np.float32)
    for video_id, rows in masks.of_videos():
        if video_id not in videos:
            continue
        known = {t.object_id: t.cycle for t in videos[video_id].tracks or () if t.cycle is not None}
        objects, inverse = np.unique(masks.object_id[rows], return_inverse=True)
        if not known.keys() >= set(objects.tolist()):
            raise UserError(
                f"--min-cycle asks for what was not computed, for one in video {video_id!r}; "
                "run `stcn segment` with --cycle-check first, or select without it"
            )
        cycles[rows] = np.array([known[i] for i in objects.tolist()], np.float32)[inverse]
    return cycles
