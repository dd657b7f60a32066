"""The nodes of the cluster, as Ray lists them: asked for again when one is looked up that is not known yet."""

import ray

from jobs.actors.division import Resources


class Nodes:
    """The nodes that are up, by id."""

    def __init__(self) -> None:
        self._resources: dict[str, Resources] = {}
        self._addresses: dict[str, str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Ask Ray. For 1,000 nodes it takes tens of milliseconds."""
        up = [node for node in ray.nodes() if node["Alive"]]
        self._resources = {node["NodeID"]: node["Resources"] for node in up}
        self._addresses |= {node["NodeID"]: node["NodeManagerAddress"] for node in up}

    @property
    def ids(self) -> frozenset[str]:
        """Of the nodes that were up when Ray was last asked."""
        return frozenset(self._resources)

    @property
    def all_resources(self) -> list[Resources]:
        """The resources of each node."""
        return list(self._resources.values())

    def resources(self, node: str) -> Resources:
        """What a node has; nothing if it is gone."""
        if node not in self._resources:
            self.refresh()
        return self._resources.get(node, {})

    def describe_resources(self) -> str:
        """The CPUs, GPUs and memory of all nodes, and what is free of them, in words."""
        has, free = ray.cluster_resources(), ray.available_resources()
        of_kinds = (f"{_amount(kind, has)} ({_amount(kind, free)} free)" for kind in ("CPU", "GPU", "memory"))
        return f"{len(self._resources)} nodes with {', '.join(of_kinds)}"

    def describe(self, node: str) -> str:
        """A node's address and the beginning of its id, as Ray's own tools show them."""
        return f"{self._addresses.get(node, 'unknown')} ({node[:8]})"


def _amount(kind: str, resources: Resources) -> str:
    amount = resources.get(kind, 0.0)
    return f"{amount / 2**30:.1f} GiB of memory" if kind == "memory" else f"{amount:g} {kind}s"
