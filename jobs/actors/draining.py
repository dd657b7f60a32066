"""Which nodes are being drained. The only use of a module that Ray calls private: its public ones do not say.

`get_cluster_status`, which `autoscaler` asks, says it too, a second later. But Ray does not annotate that as public
either, and it takes 45 ms to parse for 1,000 nodes.

Without an answer nothing is lost but time: a node that goes away is charged to nobody, and its videos are done again.
"""

import ray  # noqa: F401 ray._private cannot be imported alone
from ray.exceptions import RayError


class DrainingError(Exception):
    """This Ray does not say which nodes are being drained."""


def draining_nodes() -> set[str]:
    """The ids of nodes that are about to be preempted, or scaled down. Raises DrainingError."""
    try:
        from ray._private.state import state

        return set(state.get_draining_nodes())
    except (ImportError, AttributeError, TypeError, RayError) as error:  # gone, changed, or not answered
        raise DrainingError(f"{type(error).__name__}: {error}") from error
