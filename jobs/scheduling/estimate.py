"""How many frames are left: of videos whose container was read, what it says; of the others, by a model of lengths."""

import math
from collections import Counter

from jobs.scheduling.assignment import Assignment, VideoUnderWay
from jobs.scheduling.length_model import LengthModel
from jobs.segmenting.work_item import Shard

RATIO = 1.25  # of expected lengths that are counted as alike, so that a million videos are sixty numbers


class Estimate:
    """The videos whose outcome is not known. Of two tries of the same videos, one is counted."""

    def __init__(self) -> None:
        self._lengths = LengthModel()
        self._frames: Counter[int] = Counter()  # expected, of videos whose length is not known, by their level
        self._videos: Counter[int] = Counter()  # number of these
        self._done = 0  # frames of these that are segmented
        self._left = 0  # frames of videos under way whose length is known

    @property
    def frames_left(self) -> float:
        """Frames that are still to be segmented."""
        unknown = (
            frames * self._lengths.ratio(frames / self._videos[level])
            for level, frames in self._frames.items()
            if self._videos[level]
        )
        return max(0.0, sum(unknown) - self._done) + self._left

    def add(self, shard: Shard) -> None:
        """Count the videos of a shard, which nobody works on yet."""
        for item in shard.items:
            self._count(item.expected_frames, 1)

    def begin(self, assignment: Assignment, work_id: str, now: float) -> None:
        """Note that a video is under way."""
        item = assignment.items[work_id]
        assignment.under_way[work_id] = VideoUnderWay(item=item, since=now)
        assignment.expected_left -= item.expected_frames

    def opened(self, assignment: Assignment, video: VideoUnderWay | None, frames: int) -> None:
        """Take the length of a video under way, in frames, as its container says it."""
        if video is None or frames <= 0:
            return
        self._lengths.learn(video.item.expected_frames, frames)
        self._count_video(assignment, video, -1)
        video.length = frames
        self._count_video(assignment, video, 1)

    def segmented(self, assignment: Assignment, video: VideoUnderWay, frames: int) -> None:
        """Count frames of a video under way."""
        self._count_video(assignment, video, -1)
        video.frames += frames
        self._count_video(assignment, video, 1)

    def settle(self, assignment: Assignment, work_id: str, *, is_done: bool) -> None:
        """Count a video as settled."""
        if video := assignment.under_way.pop(work_id, None):
            if is_done and video.frames and video.length is None:
                self._lengths.learn(video.item.expected_frames, video.frames)
            assignment.frames += video.frames
            self._count_video(assignment, video, -1)
        assignment.settled.add(work_id)

    def drop(self, assignment: Assignment) -> None:
        """Count a shard no more."""
        self._count_all(assignment, -1)
        assignment.is_counted = False
        assignment.under_way.clear()

    def count(self, assignment: Assignment) -> None:
        """Count the videos of a second try, now that the first one is over."""
        assignment.is_counted = True
        self._count_all(assignment, 1)

    def left_of(self, assignment: Assignment) -> float:
        """Frames of a shard that are still to be segmented."""
        videos = len(assignment.items) - len(assignment.settled) - len(assignment.under_way)
        waiting = assignment.expected_left
        rest = waiting * self._lengths.ratio(waiting / videos) if videos else 0.0
        return rest + sum(map(self._left_of_video, assignment.under_way.values()))

    def _left_of_video(self, video: VideoUnderWay) -> float:
        expected = video.item.expected_frames
        frames = video.length or expected * self._lengths.ratio(expected)
        return max(0.0, frames - video.frames)

    def _count_all(self, assignment: Assignment, videos: int) -> None:
        """Count the videos of a shard that are not settled, or count them no more. videos: 1 or -1 for each."""
        for video in assignment.under_way.values():
            self._count_video(assignment, video, videos)
        for item in assignment.items.values() if assignment.is_counted else ():
            if item.work_id not in assignment.settled and item.work_id not in assignment.under_way:
                self._count(item.expected_frames, videos)

    def _count_video(self, assignment: Assignment, video: VideoUnderWay, videos: int) -> None:
        """The same for a video under way."""
        if not assignment.is_counted:
            return
        if video.length is not None:
            self._left += videos * max(0, video.length - video.frames)
        else:
            self._done += videos * video.frames
            self._count(video.item.expected_frames, videos)

    def _count(self, expected: int, videos: int) -> None:
        level = int(math.log(expected, RATIO))
        self._videos[level] += videos
        self._frames[level] += videos * expected
