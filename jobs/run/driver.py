"""The run: plan what is missing, let actors do it, commit what they bring."""

import json
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version

from jobs.actors import cluster
from jobs.actors.actor_group import ActorGroup
from jobs.actors.budgets import Budgets
from jobs.actors.pool import Pool
from jobs.actors.segmenter import ActorSettings, report_seconds
from jobs.errors import FatalError
from jobs.inputs.limits import ProcessLimits
from jobs.io import storage
from jobs.io.create_only import Create, record_creator
from jobs.io.storage_policy import StoragePolicy, storage_policy
from jobs.io.store_checks import check_store
from jobs.ledger import run_lock
from jobs.ledger.commit_writer import CommitWriter
from jobs.ledger.ledger import ATTEMPTS, TakenOverError
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.planning.job import Job, prepare_job
from jobs.planning.latest_rows import LatestRows
from jobs.run.committer import Committer
from jobs.run.compaction import compact_on_cluster, plan_compaction
from jobs.run.progress import Counts, Reporter
from jobs.run.status import describe_outdated, describe_unused

HAND_OVER_SECONDS = 2.0  # for actors to upload what they have finished; `ray job stop` kills after 3
LAST_PATIENCE_SECONDS = 2.0  # for storage requests of a run that is told to stop


def run(config: SegmentConfig, report: Reporter, classes: Sequence[str] | None = None) -> LatestRows:
    """Segment what is missing; returns the rows of the manifest's videos. An interrupt leaves whole work committed.

    The process is left as it was: the storage policy of `config` holds until this returns or raises.
    """
    with storage_policy(StoragePolicy(config.storage_patience, config.verify_downloads)) as policy:
        return _run(config, report, classes, policy=policy)


def _run(
    config: SegmentConfig, report: Reporter, classes: Sequence[str] | None, *, policy: StoragePolicy
) -> LatestRows:
    job, name = prepare_job(config, classes), f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    create = record_creator_for(config)
    with run_lock.run_lock(config.output, name, me := run_lock.describe_process()):
        job.ledger.begin(name, me, create)
        try:
            lost = job.ledger.forget_lost()
            _write_run_info(job, name)
            _write_videos(job)
            _tell_what_is_replaced(job, lost, report)
            if todo := job.todo():
                counts = Counts(
                    videos=len(todo),
                    skipped=len(job.items) - len(todo),
                    expected_frames=sum(item.expected_frames for item in todo),
                )
                with cluster.connected() as connection, report:
                    _segment(job, name, connection, counts=counts, report=report, policy=policy)
                    _compact(job, name, report, policy=policy)
            elif config.compact_at_end and plan_compaction(job.ledger).planned:
                with cluster.connected(), report:
                    _compact(job, name, report, policy=policy)
        except BaseException:  # also an interrupt; it is raised again
            policy.retry_seconds = LAST_PATIENCE_SECONDS
            with suppress(OSError):  # storage may be what failed; the next run writes it again
                _write_last_videos(job)
            raise
        _write_last_videos(job)
        if others := len(job.others()):
            report.note(f"{config.output} has {others} videos of other manifests, too; `stcn status` counts them all")
    return job.latest()


def _segment(
    job: Job, name: str, connection: cluster.Connection, *, counts: Counts, report: Reporter, policy: StoragePolicy
) -> None:
    report.update(counts)
    if warning := connection.describe_open_interface():
        report.note(warning)
    division = cluster.allocate(cluster.node_resources(), job.config, connection.grows)
    start_seconds = cluster.AUTOSCALE_SECONDS if connection.grows else cluster.START_SECONDS
    pool = _start_pool(job, f"{ATTEMPTS}/{name}", division, start_seconds=start_seconds)
    try:
        with CommitWriter(job.ledger) as writer:
            committer = Committer(writer, job.config, counts, report=report)
            try:
                for actor, event in pool.run(job.shards(division.actors)):
                    committer.take(actor, event)
                committer.finish()
            except (KeyboardInterrupt, FatalError, OSError):
                policy.retry_seconds = LAST_PATIENCE_SECONDS
                with suppress(OSError, TakenOverError):  # storage may be what failed, or this run is over
                    for actor, message in pool.hand_over(HAND_OVER_SECONDS):
                        committer.take(actor, message)
                raise
    finally:
        pool.stop()
        if not job.ledger.unpublished:  # else the next run publishes them
            with suppress(OSError):  # what is left there, the next run clears away
                storage.remove(storage.join(job.config.output, ATTEMPTS, name))


def _compact(job: Job, name: str, report: Reporter, *, policy: StoragePolicy) -> None:
    if job.config.compact_at_end:
        output = job.config.output
        report.note(compact_on_cluster(job.ledger, name, report.note, output=output, policy=policy).describe(output))


def _start_pool(job: Job, folder: str, division: cluster.Allocation, *, start_seconds: float) -> Pool:
    config, mailbox, model = job.config, cluster.start_mailbox(), cluster.share_model(job.model)
    size = min(division.actors, len(job.shards(division.actors)))
    setup = ActorSettings(
        device=config.device,
        precision=config.precision,
        similarity=config.similarity,
        threads=division.threads,
        allowance=ProcessLimits(config.stall_seconds, config.max_video_seconds, division.memory_gib),
        storage=StoragePolicy(config.storage_patience, config.verify_downloads),
        report_seconds=report_seconds(size),
    )
    group = ActorGroup(
        start=lambda name: cluster.start_actor(name, mailbox, division, model=model, setup=setup),
        size=size,
        start_seconds=start_seconds,
        stall_seconds=config.stall_seconds,
    )
    return Pool(group, mailbox, Budgets(config.max_attempts), output=config.output, folder=folder)


def _tell_what_is_replaced(job: Job, lost: Sequence[str], report: Reporter) -> None:
    if job.unused_columns:
        report.note(describe_unused(job.unused_columns))
    if outdated := job.outdated():
        report.note(describe_outdated(outdated))
    here = {item.entry.video_id for item in job.items}
    for video_id in lost:
        again = "are made again" if video_id in here else "of another manifest: segment that one to make them again"
        report.note(f"{video_id}: its masks are gone from {job.config.output}/masks, and {again}")


def record_creator_for(config: SegmentConfig) -> Create:
    """Check that an output can be written, and return what creates its records. Raises FatalError."""
    try:
        check_store(config.output, is_single_writer=config.single_writer)
    except OSError as error:
        raise FatalError(
            f"OUTPUT {config.output} cannot be written ({error}); legal: a folder or URL prefix that you may write"
        ) from error
    return record_creator(config.single_writer)


def _write_videos(job: Job) -> None:
    job.write_table()


def _write_last_videos(job: Job) -> None:
    job.ledger.refresh()  # an interrupt may have come between a record and its being noted here
    if not job.ledger.is_taken_over:
        _write_videos(job)


def _write_run_info(job: Job, name: str) -> None:
    info = {
        "stcn": version("stcn"),
        "schema": store.SCHEMA_VERSION,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "run": name,
        "videos": len(job.items),
        "only": job.config.only,
        "model": {"name": job.model.name, "sha256": job.model.sha256, "network": job.model.config.network},
        "propagation": vars(job.options),
        "config": job.config.as_dict(),
    }
    content = json.dumps(info, indent=1).encode()
    for file in (store.run_file(name), store.RUN_FILE):
        storage.write(storage.join(job.config.output, file), content)
