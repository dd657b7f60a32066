"""Two tries of the same shard, under way at a time: the first that writes its masks counts, the other is over."""

from collections.abc import Mapping

from jobs.scheduling.assignment import Assignment
from jobs.scheduling.estimate import Estimate
from jobs.scheduling.worker import Worker


class Rivals:
    """The pairs of a run. Each try knows the attempt of the other one; the estimate counts one of them."""

    def __init__(self, workers: Mapping[str, Worker], estimate: Estimate) -> None:
        self._workers, self._estimate = workers, estimate
        self._beaten: list[str] = []

    def pair(self, first: Assignment, second: Assignment) -> None:
        """Note that a shard is tried a second time."""
        first.rival, second.rival = second.attempt, first.attempt
        first.tries = second.tries = 2
        second.is_counted = False

    def part(self, assignment: Assignment) -> bool:
        """Note that a try is over without its masks; whether another try of its videos goes on."""
        if (found := self._other(assignment)) is None:
            return False
        _, other = found
        is_counted = assignment.is_counted
        self._end(assignment, other)
        if is_counted:
            self._estimate.count(other)
        return True

    def win(self, assignment: Assignment) -> None:
        """Note that a try has written its masks: the worker at the other one is beaten."""
        if found := self._other(assignment):
            worker, other = found
            self._end(other, assignment)
            self._beaten.append(worker.name)

    def give_up(self, worker: Worker) -> bool:
        """Note that a worker's present try failed; whether another try of its videos goes on. Then it is beaten."""
        if not self.part(worker.assignments[0]):
            return False
        self._beaten.append(worker.name)
        return True

    def take_beaten(self) -> list[str]:
        """Names of workers that were beaten since they were last taken."""
        names, self._beaten = self._beaten, []
        return names

    def _end(self, over: Assignment, other: Assignment) -> None:
        over.rival = other.rival = None
        over.is_beaten = True
        self._estimate.drop(over)

    def _other(self, assignment: Assignment) -> tuple[Worker, Assignment] | None:
        """The other try of the same videos, and who is at it."""
        if assignment.rival is None:
            return None
        pairs = ((w, other) for w in self._workers.values() for other in w.assignments)
        return next((pair for pair in pairs if pair[1].attempt == assignment.rival), None)
