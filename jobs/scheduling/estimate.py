"""How many frames are left, by expected lengths as corrected by those that were measured."""

from jobs.scheduling.worker import Assignment


class Estimate:
    """Expected frames of the videos whose outcome is not known, and how far expectations were off so far."""

    def __init__(self) -> None:
        self._left = 0  # expected frames
        self._running = 0  # of videos under way, done
        self._expected = self._actual = 0  # of videos that are done

    @property
    def frames_left(self) -> float:
        """Frames that are still to be segmented."""
        return max(0.0, self._left * self._correction - self._running)

    def left_of(self, assignment: Assignment) -> float:
        """Frames of a shard that are still to be segmented."""
        return max(0.0, assignment.expected_left * self._correction - assignment.running_frames)

    def add(self, expected: int) -> None:
        """Count frames that are to be segmented."""
        self._left += expected

    def segmented(self, assignment: Assignment, frames: int) -> None:
        """Count frames of the video under way."""
        assignment.running_frames += frames
        self._running += frames

    def settle(self, assignment: Assignment, work_id: str, *, is_done: bool) -> None:
        """Count a video as settled."""
        expected = assignment.items[work_id].expected_frames
        if is_done:
            self._expected += expected
            self._actual += assignment.running_frames
        assignment.expected_left -= expected
        self._left -= expected
        self._stop_video(assignment)

    def drop(self, assignment: Assignment) -> None:
        """Count a shard no more."""
        self._left -= assignment.expected_left
        self._stop_video(assignment)

    @property
    def _correction(self) -> float:
        return self._actual / self._expected if self._actual else 1.0

    def _stop_video(self, assignment: Assignment) -> None:
        self._running -= assignment.running_frames
        assignment.running, assignment.running_frames = None, 0
