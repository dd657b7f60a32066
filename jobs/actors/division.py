"""How the nodes of a cluster are shared out: what each actor asks of Ray, and what it is given on its own node."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.errors import FatalError
from jobs.planning.config import SegmentConfig

CPUS_PER_ACTOR = 4  # by default; more threads in one actor bring less than more actors do
ROUNDING = 1e-9

Resources = dict[str, float]  # of a node: "CPU", "GPU", and "memory" in bytes, of what was free as Ray started there


@dataclass(frozen=True, kw_only=True)
class NodeShare:
    """What one actor is given on its node."""

    threads: int
    memory_gib: float | None = None  # that its process may hold


@dataclass(frozen=True, kw_only=True)
class Division:
    """How many actors there are, what each asks for, and how a node's resources are shared among those on it."""

    actors: int
    gpus: float  # that each asks for
    cpus: float
    threads: int | None = None  # that the user has set
    memory_gib: float | None = None  # likewise

    def slots(self, node: Resources) -> int:
        """The number of actors that fit on a node."""
        resource, each = ("GPU", self.gpus) if self.gpus else ("CPU", self.cpus)
        return int(node.get(resource, 0.0) / each + ROUNDING)

    def share(self, node: Resources) -> NodeShare:
        """What an actor is given on a node: an even part of what it has, whatever other nodes have."""
        neighbours = max(1, min(self.actors, self.slots(node)))
        memory = node["memory"] / 2**30 / neighbours if node.get("memory") else None
        return NodeShare(
            threads=self.threads or max(1, int(node.get("CPU", 0.0) / neighbours + ROUNDING)),
            memory_gib=self.memory_gib or memory,
        )


def divide(nodes: Sequence[Resources], config: SegmentConfig, *, grows: bool = False) -> Division:
    """Share nodes out evenly: no actor needs more than one node has.

    grows: more nodes may come, so actors may wait for what is not there yet. Raises FatalError for more GPUs than there
    are, where there will be no more.
    """
    gpus = sum(node.get("GPU", 0.0) for node in nodes)
    per_actor = config.num_gpus_per_actor
    if per_actor is None:
        per_actor = 1.0 if config.device != "cpu" and (gpus or config.device == "cuda") else 0.0
    cpus = _cpus_beside_gpus(nodes, per_actor) if per_actor else _cpus(nodes, config, grows=grows)
    each = Division(actors=1, gpus=per_actor, cpus=cpus)
    actors = config.actors or max(1, sum(map(each.slots, nodes)))
    if actors * per_actor > gpus and not grows:
        raise FatalError(
            f"{actors} actors with {per_actor:g} GPUs each need {actors * per_actor:g}, this machine has {gpus:g}; "
            "lower --actors or --num-gpus-per-actor, or use --device cpu"
        )
    return Division(
        actors=actors,
        gpus=per_actor,
        cpus=cpus,
        threads=config.threads_per_actor,
        memory_gib=config.memory_per_actor,
    )


def _cpus_beside_gpus(nodes: Sequence[Resources], gpus: float) -> float:
    """CPUs that an actor with GPUs asks for: one, or less where a node has more GPUs than CPUs."""
    slots = [(node.get("CPU", 0.0), int(node.get("GPU", 0.0) / gpus + ROUNDING)) for node in nodes]
    return min([1.0, *(cpus / count for cpus, count in slots if count)])


def _cpus(nodes: Sequence[Resources], config: SegmentConfig, *, grows: bool) -> float:
    """CPUs that an actor without GPUs asks for."""
    of_nodes = [node.get("CPU", 0.0) for node in nodes]
    most = max(of_nodes, default=0.0) or CPUS_PER_ACTOR
    if grows and config.threads_per_actor:
        return min(float(config.threads_per_actor), most)
    share = _largest_share(of_nodes, config.actors) if config.actors else 0.0
    if share and (share >= 1 or not grows):
        return share
    return min(float(CPUS_PER_ACTOR), most)


def _largest_share(cpus: Sequence[float], actors: int) -> float:
    """The most CPUs that each of so many actors can have, none of them on two nodes; 0 if there are no CPUs."""
    shares = sorted({node / count for node in cpus for count in range(1, actors + 1)}, reverse=True)
    return next((s for s in shares if s and sum(int(node / s + ROUNDING) for node in cpus) >= actors), 0.0)
