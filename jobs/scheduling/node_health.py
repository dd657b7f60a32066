"""Early deaths, of workers that end before they begin on a video: by node, so that a bad one is avoided. Pure."""

from collections import Counter

from jobs.errors import FatalError
from jobs.scheduling.events import NodeAvoided

MAX_EARLY_DEATHS = 5  # in a row, while no other worker is up or may come up
MAX_OF_NODE = 3  # in a row on one node, after which it is avoided


class NodeHealth:
    """Counts the early deaths of one run."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._of_node: Counter[str] = Counter()
        self.bad: frozenset[str] = frozenset()  # nodes that are avoided

    def video_started(self, node: str | None) -> None:
        """Note that a worker works: counts begin anew."""
        self._in_a_row = 0
        if node is not None:
            self._of_node.pop(node, None)

    def died_early(self, node: str | None, reason: str, *, others_work: bool) -> NodeAvoided | None:
        """Count a death. Returns that its node is avoided from now on, if it is.

        node: None if it is not known. others_work: whether another worker is up, or starts on a node that is not
        avoided. Raises FatalError at MAX_EARLY_DEATHS in a row if there is none.
        """
        self._in_a_row += 1
        if self._in_a_row >= MAX_EARLY_DEATHS and not others_work:
            raise FatalError(f"{self._in_a_row} actors in a row died before they started on a video: {reason}")
        if node is None:
            return None
        self._of_node[node] += 1
        if self._of_node[node] < MAX_OF_NODE or node in self.bad:
            return None
        self.bad |= {node}
        return NodeAvoided(node=node, deaths=self._of_node[node], reason=reason)
