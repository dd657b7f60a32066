"""Judging of one file's masks by criteria: the units dropped, and the first reason of each. Works on arrays alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.errors import UserError
from jobs.outputs.trust import Flags, Floats
from jobs.records import VideoRow
from jobs.selections.criteria import Criteria

# In the order of application. A unit is counted under the first reason that drops it.
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
Videos = Mapping[str, VideoRow]  # by id, the videos whose masks may be kept


@dataclass(frozen=True, kw_only=True)
class Masks:
    """The masks of one file, as arrays with a value per mask, sorted by video, frame and object."""

    video_ids: list[str]
    video: Ints  # index into video_ids
    frame: Ints
    object_id: Ints
    area: Ints
    score: Floats
    stability: Floats
    is_prompt: Flags
    trust: Floats

    @property
    def is_judged(self) -> Flags:
        """Whether thresholds apply to each mask: to all but prompts and empty masks."""
        return ~self.is_prompt & (self.area > 0)

    def rows_by_video(self) -> Iterator[tuple[str, slice]]:
        """Yield each video's id and rows."""
        bounds = np.searchsorted(self.video, np.arange(len(self.video_ids) + 1))
        for video_id, start, end in zip(self.video_ids, bounds, bounds[1:], strict=False):
            yield video_id, slice(int(start), int(end))


@dataclass(frozen=True, kw_only=True)
class Units:
    """The units of one file, frames or masks, as arrays with a value per unit, in order."""

    video_ids: list[str]
    video: NDArray[np.int32]  # index into video_ids
    num_masks: NDArray[np.int32]
    trust: Floats  # minimum over the unit's masks, without prompts; 1 if no mask is judged
    is_judged: Flags  # whether any of the unit's masks is
    reason: NDArray[np.uint8]  # index into REASONS

    def drop(self, reason: str, flags: Flags) -> None:
        """Record the reason for the flagged units that have none yet."""
        self.reason[flags & (self.reason == KEPT)] = REASONS.index(reason)

    @property
    def is_mask_kept(self) -> Flags:
        """Whether each mask of the file is kept."""
        return np.repeat(self.reason == KEPT, self.num_masks)


def judge(masks: Masks, criteria: Criteria, videos: Videos) -> Units:
    """Judge each unit by the criteria that depend on the unit alone: all but `best` and `max_per_video`.

    videos: the videos whose masks may be kept. Raises UserError if `min_cycle` is set and a cycle check is missing.
    """
    starts, is_judged = _starts(masks, criteria.unit), masks.is_judged

    def any_in_unit(flags: Flags) -> Flags:
        return np.logical_or.reduceat(flags, starts)

    units = _units(masks, starts)
    units.drop("video", ~np.array([video_id in videos for video_id in masks.video_ids])[units.video])
    if criteria.every:
        units.drop("every", (masks.frame - _first_frames(masks))[starts] % criteria.every != 0)
    units.drop("empty", ~any_in_unit(masks.area > 0))
    if not criteria.prompts:
        units.drop("prompts", ~units.is_judged)
    if not criteria.events:
        units.drop("events", any_in_unit(_in_event(masks, videos) & ~masks.is_prompt))
    for name, values in (("score", masks.score), ("stability", masks.stability), ("area", masks.area)):
        if (minimum := getattr(criteria, f"min_{name}")) is not None:
            units.drop(f"min_{name}", any_in_unit(is_judged & ~(values >= minimum)))  # a NaN is dropped, too
    if criteria.min_cycle is not None:
        units.drop("min_cycle", any_in_unit(is_judged & ~(_cycles(masks, videos) >= criteria.min_cycle)))
    if criteria.min_trust is not None:
        units.drop("min_trust", units.is_judged & ~(units.trust >= criteria.min_trust))
    return units


def _units(masks: Masks, starts: Ints) -> Units:
    """Build the units that begin at the given rows. All of them are kept so far."""
    is_judged = np.logical_or.reduceat(masks.is_judged, starts)
    min_trust = np.minimum.reduceat(np.where(masks.is_prompt, np.float32(1), masks.trust), starts)
    return Units(
        video_ids=masks.video_ids,
        video=masks.video[starts].astype(np.int32),
        num_masks=np.diff(starts, append=len(masks.video)).astype(np.int32),
        trust=np.where(is_judged, min_trust, np.float32(1)),
        is_judged=is_judged,
        reason=np.zeros(len(starts), np.uint8),
    )


def _starts(masks: Masks, unit: str) -> Ints:
    """Return the first row of each unit."""
    if unit == "mask":
        return np.arange(len(masks.video))
    is_first = (np.diff(masks.video, prepend=-1) != 0) | (np.diff(masks.frame, prepend=-1) != 0)
    return np.flatnonzero(is_first)


def _first_frames(masks: Masks) -> Ints:
    """Return, for each mask, the first frame of its video that has a mask."""
    first = np.searchsorted(masks.video, np.arange(len(masks.video_ids)))
    frames: Ints = masks.frame[first][masks.video]
    return frames


def _in_event(masks: Masks, videos: Videos) -> Flags:
    """Whether each mask's frame lies in an event of its object."""
    is_in_event = np.zeros(len(masks.video), bool)
    for video_id, rows in masks.rows_by_video():
        frames, objects = masks.frame[rows], masks.object_id[rows]
        for track in (videos[video_id].tracks or ()) if video_id in videos else ():
            for event in track.events:
                start, end = np.searchsorted(frames, (event.first_frame, event.last_frame + 1))
                is_in_event[rows][start:end] |= objects[start:end] == track.object_id
    return is_in_event


def _cycles(masks: Masks, videos: Videos) -> Floats:
    """Return the cycle check's IoU of each mask's object. Raises UserError if it was not computed."""
    cycles = np.zeros(len(masks.video), np.float32)
    for video_id, rows in masks.rows_by_video():
        if video_id not in videos:
            continue
        known = {t.object_id: t.cycle for t in videos[video_id].tracks or () if t.cycle is not None}
        objects, inverse = np.unique(masks.object_id[rows], return_inverse=True)
        if not known.keys() >= set(objects.tolist()):
            raise UserError(
                f"--min-cycle needs cycle checks, and video {video_id!r} has none for some object; "
                "run `stcn segment` with --cycle-check first, or select without --min-cycle"
            )
        cycles[rows] = np.array([known[i] for i in objects.tolist()], np.float32)[inverse]
    return cycles
