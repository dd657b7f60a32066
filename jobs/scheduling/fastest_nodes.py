"""How fast the fastest other node is: asked for each of thousands of workers, so all nodes are compared once."""

import heapq

from jobs.scheduling.pace import Pace
from jobs.scheduling.worker import Worker


class FastestNodes:
    """The two fastest nodes at one time, and two whose speed is not known."""

    def __init__(self, pace: Pace) -> None:
        speeds = {node: pace.speed(node) for node in pace.nodes}
        known = ((speed, node) for node, speed in speeds.items() if speed)
        self._known = heapq.nlargest(2, known)
        self._unknown = [node for node, speed in speeds.items() if not speed][:2]

    def speed_for(self, worker: Worker, usual: float) -> float:
        """Of the fastest node beside a worker's own, in frames a second of one worker; 0 if there is no other.

        usual: for nodes whose speed is not known.
        """
        known = (speed for speed, node in self._known if node != worker.node)
        unknown = (usual for node in self._unknown if node != worker.node)
        return max(next(known, 0.0), next(unknown, 0.0))
