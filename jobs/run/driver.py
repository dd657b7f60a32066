"""The run: plan what is missing, let actors do it, commit what they bring."""

import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version

from jobs.costs.expectation import expect
from jobs.costs.run_cost import write_run_record, write_what_it_took
from jobs.errors import ExitCode, FatalError
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
from jobs.run.actor_start import ActorStart
from jobs.run.committer import Committer
from jobs.run.compaction import compact_on_cluster, plan_compaction
from jobs.run.plan_report import describe_believed, describe_outdated, describe_unused
from jobs.run.run_metrics import exported_run
from jobs.segmenting.work_item import WorkItem
from jobs.watching.live_file import LiveFile
from jobs.watching.live_reporter import LiveReporter
from jobs.watching.progress import Counts, Reporter

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
    name = f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    with ActorStart(config, f"{ATTEMPTS}/{name}") as actors:
        job = prepare_job(config, classes, before_asking=actors.begin)
        create = record_creator_for(config)
        with run_lock.run_lock(config.output, name, me := run_lock.describe_process()):
            job.ledger.begin(name, me, create)
            with LiveFile(config.output, name, me, is_ours=lambda: not job.ledger.is_taken_over) as live:
                rows = _run_job(job, name, actors, report=report, policy=policy, live=live)
                live.exit_code = ExitCode.FAILURES if rows.with_status("quarantined") else ExitCode.DONE
                return rows


def _run_job(
    job: Job, name: str, actors: ActorStart, *, report: Reporter, policy: StoragePolicy, live: LiveFile
) -> LatestRows:
    try:
        job, lost = job.without_lost()
        todo = job.todo()
        _write_run_info(job, name, todo)
        job.write_answers()
        _write_videos(job)
        _tell_what_is_replaced(job, lost, report)
        if todo or _is_to_be_compacted(job):
            with report:
                if todo:
                    _segment(job, name, actors, todo=todo, report=report, policy=policy, live=live)
                if _is_to_be_compacted(job):
                    live.enter("compacting")
                    _compact(job, name, actors, report=report, policy=policy)
    except BaseException:  # also an interrupt; it is raised again
        policy.retry_seconds = LAST_PATIENCE_SECONDS
        with suppress(OSError):  # storage may be what failed; the next run writes it again
            _write_last_videos(job, name)
        raise
    _write_last_videos(job, name)
    if others := len(job.others()):
        output = job.config.output
        kind = "further videos" if job.config.only else "videos of other manifests, too"
        report.note(f"{output} has {others} {kind}; `stcn status` counts them all")
    return job.latest()


def _segment(
    job: Job,
    name: str,
    actors: ActorStart,
    *,
    todo: Sequence[WorkItem],
    report: Reporter,
    policy: StoragePolicy,
    live: LiveFile,
) -> None:
    pool, counts = actors.pool(job), _counts_of(job, todo)
    display = LiveReporter(report, live, workers=lambda: pool.workers, describe_node=pool.describe_node)
    if warning := actors.connect().describe_open_interface():
        report.note(warning)
    display.update(counts)
    live.enter("segmenting")
    try:
        with (
            CommitWriter(job.ledger) as writer,
            exported_run(name, pool=pool, counts=counts, writer=writer),
        ):
            committer = Committer(writer, job.config, counts, report=display)
            try:
                for attempt, event in pool.run(job.shards(actors.division.actors), is_held=committer.is_behind):
                    counts.frames_left, counts.seconds_left = pool.rest
                    display.take(attempt, event)
                    committer.take(attempt, event)
                counts.frames_left, counts.seconds_left = 0.0, 0.0
                live.enter("committing")
                committer.finish()
            except (KeyboardInterrupt, FatalError, OSError):
                policy.retry_seconds = LAST_PATIENCE_SECONDS
                with suppress(OSError, TakenOverError):  # storage may be what failed, or this run is over
                    for attempt, message in pool.hand_over(HAND_OVER_SECONDS):
                        committer.take(attempt, message)
                raise
    finally:
        display.show(counts)
        pool.stop()
        if not job.ledger.unpublished:  # else the next run publishes them
            with suppress(OSError):  # what is left there, the next run clears away
                storage.remove(storage.join(job.config.output, ATTEMPTS, name))


def _counts_of(job: Job, todo: Sequence[WorkItem]) -> Counts:
    return Counts(
        videos=len(todo),
        skipped=len(job.items) - len(todo),
        frames_left=float(sum(item.expected_frames for item in todo)),
    )


def _is_to_be_compacted(job: Job) -> bool:
    return job.config.compact_at_end and bool(plan_compaction(job.ledger).planned)


def _compact(job: Job, name: str, actors: ActorStart, *, report: Reporter, policy: StoragePolicy) -> None:
    output = job.config.output
    actors.connect()
    report.note(compact_on_cluster(job.ledger, name, report.note, output=output, policy=policy).describe(output))


def _tell_what_is_replaced(job: Job, lost: Sequence[str], report: Reporter) -> None:
    if job.unused_columns:
        report.note(describe_unused(job.unused_columns))
    if outdated := job.outdated():
        report.note(describe_outdated(outdated))
    if believed := job.believed():
        report.note(describe_believed(believed, job.counts()["done"]))
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


def _write_last_videos(job: Job, name: str) -> None:
    job.ledger.refresh()  # an interrupt may have come between a record and its being noted here
    if not job.ledger.is_taken_over:
        _write_videos(job)
        write_what_it_took(job, name)


def _write_run_info(job: Job, name: str, todo: Sequence[WorkItem]) -> None:
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
        "expected": expect(job, todo).as_dict(),
    }
    write_run_record(job.config.output, name, info)
