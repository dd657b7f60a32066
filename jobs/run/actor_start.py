"""The cluster and the actors of a run. Actors load the model while storage is asked for the videos of a long plan."""

from contextlib import ExitStack
from functools import cached_property
from types import TracebackType

from jobs.actors import cluster
from jobs.actors.actor_factory import SegmenterFactory
from jobs.actors.actor_group import ActorGroup
from jobs.actors.actor_settings import ActorSettings, report_seconds
from jobs.actors.autoscaler import Autoscaler
from jobs.actors.division import Division, divide
from jobs.actors.fleet_limits import limits_of
from jobs.actors.nodes import Nodes
from jobs.actors.pool import Pool
from jobs.inputs.limits import ProcessLimits
from jobs.inputs.model_file import ModelFile
from jobs.io import storage
from jobs.io.storage_policy import StoragePolicy
from jobs.planning.config import SegmentConfig
from jobs.planning.job import Job
from jobs.scheduling.budgets import Budgets
from jobs.scheduling.node_health import NodeHealth
from jobs.scheduling.scheduler import Scheduler

LONG_PLAN_VIDEOS = 10_000  # for fewer, storage has answered before Ray is up


class ActorStart:
    """Joins a cluster and starts actors, each once. A context manager: leaving it ends them, and leaves the cluster."""

    def __init__(self, config: SegmentConfig, folder: str) -> None:
        """folder: of the run's attempts, below the output."""
        self._config, self._folder = config, folder
        self._stack = ExitStack()
        self._connection: cluster.Connection | None = None
        self._pool: Pool | None = None

    def __enter__(self) -> "ActorStart":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def connect(self) -> cluster.Connection:
        """Join the cluster, if it was not joined before. Raises FatalError."""
        if self._connection is None:
            self._connection = self._stack.enter_context(cluster.connected())
        return self._connection

    @cached_property
    def _nodes(self) -> Nodes:
        self.connect()
        return Nodes()

    @cached_property
    def division(self) -> Division:
        """How the cluster's nodes are shared out. Raises FatalError for more GPUs than there are."""
        nodes = self._nodes.all_resources
        return divide(nodes, self._config, grows=self.connect().grows, autoscales=self._autoscales())

    @cached_property
    def _autoscaler(self) -> Autoscaler:
        self.connect()
        return Autoscaler()

    def _autoscales(self) -> bool:
        return self.connect().grows and self._autoscaler.is_there()

    def begin(self, model: ModelFile, videos: int) -> None:
        """Start actors ahead of the plan, if it takes long. videos: which surely are to be segmented, at least."""
        if videos >= LONG_PLAN_VIDEOS:
            self._pool = self._start(model, min(self.division.actors, videos))

    def pool(self, job: Job) -> Pool:
        """The actors of a run, which are started now if they were not before. Raises FatalError."""
        if self._pool is None:
            actors = self.division.actors
            self._pool = self._start(job.model, min(actors, len(job.shards(actors))))
        return self._pool

    def _most(self) -> int:
        """The number of actors that there may be; a cluster may have grown or shrunk."""
        if not self.connect().grows:
            return self.division.actors
        limits = limits_of(self._config, autoscales=self._autoscales())
        return limits.allowed(sum(map(self.division.slots, self._nodes.all_resources)))

    def _start(self, model: ModelFile, size: int) -> Pool:
        config, mailbox = self._config, cluster.start_mailbox()
        settings = ActorSettings(
            run=storage.name_of(self._folder),
            device=config.device,
            decoder=config.decoder,
            precision=config.precision,
            similarity=config.similarity,
            allowance=ProcessLimits(config.stall_seconds, config.max_video_seconds),
            storage=StoragePolicy(config.storage_patience, config.verify_downloads),
            clips_per_actor=config.clips_per_actor,
            report_seconds=report_seconds(size),
        )
        group = ActorGroup(
            SegmenterFactory(mailbox, model, self.division, settings=settings, nodes=self._nodes),
            self._nodes,
            size=size,
            most=self._most,
            each=self.division.describe(),
            compiles=config.compile == "auto" and (config.device == "cuda" or self.division.gpus > 0),
            start_seconds=cluster.AUTOSCALE_SECONDS if self.connect().grows else cluster.START_SECONDS,
        )
        scheduler = Scheduler(Budgets(config.max_attempts), NodeHealth(), folder=self._folder)
        pool = Pool(group, mailbox, scheduler, output=config.output, stall_seconds=config.stall_seconds)
        self._stack.callback(pool.stop)
        return pool
