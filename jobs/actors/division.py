"""How the nodes of a cluster are shared out: what each actor asks of Ray, and what it is given on its own node."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.actors.fleet_limits import limits_of
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

    actors: int  # to begin with
    most: int | None = None  # that the user allows
    gpus: float  # that each asks for
    cpus: float
    threads: int | None = None  # that the user has set
    memory_gib: float | None = None  # likewise

    def describe(self) -> str:
        """What each actor asks for, in words."""
        return f"{self.gpus:g} GPUs and {self.cpus:g} CPUs" if self.gpus else f"{self.cpus:g} CPUs"

    def slots(self, node: Resources) -> int:
        """The number of actors that fit on a node."""
        return _gpu_slots(node, self.gpus) if self.gpus else int(node.get("CPU", 0.0) / self.cpus + ROUNDING)

    def share(self, node: Resources) -> NodeShare:
        """What an actor is given on a node: an even part of what it has, whatever other nodes have."""
        slots = self.slots(node)
        neighbours = max(1, min(slots, self.most or slots))
        memory = node["memory"] / 2**30 / neighbours if node.get("memory") else None
        return NodeShare(
            threads=self.threads or max(1, int(node.get("CPU", 0.0) / neighbours + ROUNDING)),
            memory_gib=self.memory_gib or memory,
        )


def divide(
    nodes: Sequence[Resources], config: SegmentConfig, *, grows: bool = False, autoscales: bool = False
) -> Division:
    """Share nodes out evenly: no actor needs more than one node has.

    grows: more nodes may come, so actors may wait for what is not there yet. autoscales: nodes are added for these.
    Raises FatalError for more GPUs than there are, where there will be no more; and where it cannot be told whether the
    nodes to come have GPUs.
    """
    gpus = sum(node.get("GPU", 0.0) for node in nodes)
    per_actor = _gpus_of_each(gpus, config, autoscales=autoscales)
    cpus = _cpus_beside_gpus(nodes, per_actor) if per_actor else _cpus(nodes, config, grows=grows)
    each = Division(actors=1, gpus=per_actor, cpus=cpus)
    limits = limits_of(config, autoscales=autoscales)
    actors = limits.allowed(room := sum(map(each.slots, nodes)))
    if per_actor and actors > room and not grows:
        raise FatalError(
            f"{actors} actors with {per_actor:g} GPUs each do not fit: this machine's {gpus:g} GPUs have room for "
            f"{room}; lower --actors or --num-gpus-per-actor, or use --device cpu"
        )
    return Division(
        actors=actors,
        most=limits.most,
        gpus=per_actor,
        cpus=cpus,
        threads=config.threads_per_actor,
        memory_gib=config.memory_per_actor,
    )


def _gpus_of_each(gpus: float, config: SegmentConfig, *, autoscales: bool) -> float:
    """GPUs that an actor asks for. gpus: that are there."""
    if config.num_gpus_per_actor is not None:
        return config.num_gpus_per_actor
    if config.device == "auto" and not gpus and autoscales:
        raise FatalError(
            "no node that is up has a GPU, and the cluster's autoscaler may add some that have: say --device cuda to "
            "wait for these, or --device cpu to work without"
        )
    return 1.0 if config.device != "cpu" and (gpus or config.device == "cuda") else 0.0


def _gpu_slots(node: Resources, gpus: float) -> int:
    """Actors that fit on a node's GPUs. A part of a GPU is never put together of what is left of two."""
    if gpus < 1:
        return int(node.get("GPU", 0.0) + ROUNDING) * int(1 / gpus + ROUNDING)
    return int(node.get("GPU", 0.0) / gpus + ROUNDING)


def _cpus_beside_gpus(nodes: Sequence[Resources], gpus: float) -> float:
    """CPUs that an actor with GPUs asks for: one, or less where a node has more GPUs than CPUs."""
    slots = [(node.get("CPU", 0.0), _gpu_slots(node, gpus)) for node in nodes]
    return min([1.0, *(cpus / count for cpus, count in slots if count)])


def _cpus(nodes: Sequence[Resources], config: SegmentConfig, *, grows: bool) -> float:
    """CPUs that an actor without GPUs asks for."""
    of_nodes = [node.get("CPU", 0.0) for node in nodes]
    most = max(of_nodes, default=0.0) or CPUS_PER_ACTOR
    if grows and config.threads_per_actor:
        return min(float(config.threads_per_actor), most)
    actors = config.actors or (0 if grows else config.min_actors)
    share = _largest_share(of_nodes, actors) if actors else 0.0
    if share and (share >= 1 or not grows):
        return share
    return min(float(CPUS_PER_ACTOR), most)


def _largest_share(cpus: Sequence[float], actors: int) -> float:
    """The most CPUs that each of so many actors can have, none of them on two nodes; 0 if there are no CPUs."""
    shares = sorted({node / count for node in cpus for count in range(1, actors + 1)}, reverse=True)
    return next((s for s in shares if s and sum(int(node / s + ROUNDING) for node in cpus) >= actors), 0.0)
