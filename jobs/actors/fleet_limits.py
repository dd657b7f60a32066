"""How many actors a run may have, of those that there is work for. Pure policy."""

from dataclasses import dataclass

from jobs.planning.config import SegmentConfig

MIN_AHEAD = 8  # actors that wait for nodes, of a small cluster


@dataclass(frozen=True, kw_only=True)
class FleetLimits:
    """The bounds that the user sets, and what the cluster can do."""

    least: int = 1  # actors that are asked for, whatever nodes are up
    most: int | None = None
    autoscales: bool = False  # nodes are added for actors that wait

    def allowed(self, slots: int) -> int:
        """Actors that may be started now. slots: actors that fit on the nodes that are up.

        With an autoscaler as many again wait for nodes, so a cluster doubles, up to what its configuration allows. No
        interface of Ray's tells that beforehand; actors that wait in vain cost nothing.
        """
        wanted = max(slots + (max(MIN_AHEAD, slots) if self.autoscales else 0), self.least)
        return wanted if self.most is None else min(wanted, self.most)


def limits_of(config: SegmentConfig, *, autoscales: bool) -> FleetLimits:
    """The limits of the actors of a run. autoscales: whether the cluster's nodes follow the actors that wait."""
    return FleetLimits(
        least=config.actors or config.min_actors or 1,
        most=config.actors or config.max_actors,
        autoscales=autoscales,
    )
