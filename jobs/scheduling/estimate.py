"""How many frames are left: of videos under way by their own length, of the others by a model of lengths."""

import math
from collections import Counter

from jobs.scheduling.assignment import Assignment
from jobs.scheduling.length_model import LengthModel
from jobs.segmenting.work_item import Shard

RATIO = 1.25  # of expected lengths that are counted as alike, so that a million videos are sixty numbers


class Estimate:
    """The videos whose outcome is not known. Of two tries of the same videos, one is counted."""

    def __init__(self) -> None:
        self._lengths = LengthModel()
        self._frames: Counter[int] = Counter()  # expected, of videos that are not under way, by their level
        self._videos: Counter[int] = Counter()  # likewise
        self._running_left = 0  # frames, of videos under way

    @property
    def frames_left(self) -> float:
        """Frames that are still to be segmented."""
        waiting = (
            frames * self._lengths.ratio(frames / self._videos[level])
            for level, frames in self._frames.items()
            if self._videos[level]
        )
        return max(0.0, sum(waiting) + self._running_left)

    def add(self, shard: Shard) -> None:
        """Count the videos of a shard, which nobody works on yet."""
        for item in shard.items:
            self._count(item.expected_frames, 1)

    def begin(self, assignment: Assignment, work_id: str, frames: int | None) -> None:
        """Note that a video is under way. frames: of it, as its container says."""
        expected = assignment.items[work_id].expected_frames
        if frames:
            self._lengths.learn(expected, frames)
        assignment.running, assignment.is_length_known = work_id, bool(frames)
        assignment.expected_left -= expected
        if assignment.is_counted:
            self._count(expected, -1)
        self._set_left(assignment, frames or round(expected * self._lengths.ratio(expected)))

    def segmented(self, assignment: Assignment, frames: int) -> None:
        """Count frames of the video under way."""
        assignment.running_frames += frames
        self._set_left(assignment, max(0, assignment.running_left - frames))

    def settle(self, assignment: Assignment, work_id: str, *, is_done: bool) -> None:
        """Count a video as settled."""
        if is_done and assignment.running_frames and not assignment.is_length_known:
            self._lengths.learn(assignment.items[work_id].expected_frames, assignment.running_frames)
        assignment.frames += assignment.running_frames
        self._stop_video(assignment)
        assignment.settled.add(work_id)

    def drop(self, assignment: Assignment) -> None:
        """Count a shard no more."""
        if assignment.is_counted:
            for item in assignment.items.values():
                if item.work_id not in assignment.settled and item.work_id != assignment.running:
                    self._count(item.expected_frames, -1)
        self._stop_video(assignment)
        assignment.is_counted = False

    def count(self, assignment: Assignment) -> None:
        """Count the videos of a second try, now that the first one is over."""
        for item in assignment.items.values():
            if item.work_id not in assignment.settled and item.work_id != assignment.running:
                self._count(item.expected_frames, 1)
        assignment.is_counted = True
        self._running_left += assignment.running_left

    def left_of(self, assignment: Assignment) -> float:
        """Frames of a shard that are still to be segmented."""
        videos = len(assignment.items) - len(assignment.settled) - (assignment.running is not None)
        waiting = assignment.expected_left
        return assignment.running_left + (waiting * self._lengths.ratio(waiting / videos) if videos else 0.0)

    def _count(self, expected: int, videos: int) -> None:
        level = int(math.log(expected, RATIO))
        self._videos[level] += videos
        self._frames[level] += videos * expected

    def _set_left(self, assignment: Assignment, frames: int) -> None:
        if assignment.is_counted:
            self._running_left += frames - assignment.running_left
        assignment.running_left = frames

    def _stop_video(self, assignment: Assignment) -> None:
        self._set_left(assignment, 0)
        assignment.running, assignment.running_frames = None, 0
