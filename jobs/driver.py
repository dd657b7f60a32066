"""The run: plan what is missing, let actors do it, commit what they bring."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from jobs import cluster, storage, store
from jobs.config import SegmentConfig
from jobs.errors import FatalError
from jobs.identity import identify
from jobs.ledger import Ledger
from jobs.manifest import read_manifest
from jobs.models import ModelFile, find_model
from jobs.plan import plan
from jobs.pool import START_SECONDS, GivenUp, Pool, StillStarting
from jobs.progress import Counts, Reporter
from jobs.records import FramesDone, Shard, ShardWritten, VideoFinished, VideoRow, WorkItem
from jobs.segment import failed_row
from jobs.status import describe_outdated
from stcn_core.config import PropagationConfig


@dataclass(frozen=True)
class Job:
    """Everything that is known before anything runs."""

    config: SegmentConfig
    model: ModelFile
    options: PropagationConfig
    items: list[WorkItem]
    ledger: Ledger
    lost: list[str]  # video ids whose committed masks are gone

    def todo(self) -> list[WorkItem]:
        finished = self.ledger.finished(self.config.retry_failed)
        return [item for item in self.items if item.work_id not in finished]

    def shards(self, actors: int) -> list[Shard]:
        finished = self.ledger.finished(self.config.retry_failed)
        return plan(self.items, finished, actors, self.config.frames_per_shard)

    def outdated(self) -> int:
        """How many videos have masks that this run will replace."""
        known = {item: self.ledger.videos.get(item.entry.video_id) for item in self.items}
        return sum(row is not None and row.status == "done" and row.work_id != i.work_id for i, row in known.items())

    def rows(self) -> list[VideoRow]:
        """One row for every manifest entry: what became of it, or that it is pending."""
        return [_row(item, self.ledger.videos.get(item.entry.video_id)) for item in self.items]


def prepare(config: SegmentConfig) -> Job:
    """Read the manifest, the model and the ledger. Raises UserError; writes nothing but unfinished publishing."""
    entries = read_manifest(config.manifest)
    model = find_model(config.model, config.model_sha256)
    options = config.propagation(model.network)
    items = identify(entries, model.sha256, options, config.precision)
    ledger = Ledger(config.output)
    return Job(config, model, options, items, ledger, ledger.recover())


def run(config: SegmentConfig, report: Reporter) -> list[VideoRow]:
    """Segment what is missing; returns the rows of all videos. An interrupt leaves whole work committed."""
    job = prepare(config)
    _write_run_info(job)
    store.write_videos(storage.join(config.output, store.VIDEOS_FILE), job.rows())
    try:
        todo = job.todo()
        counts = Counts(len(todo), len(job.items) - len(todo), sum(item.expected_frames for item in todo))
        if outdated := job.outdated():
            report.note(describe_outdated(outdated))
        for video_id in job.lost:
            report.note(f"{video_id}: its masks are gone from {config.output}/masks, and are made again")
        if todo:
            with cluster.connected() as grows, report:
                report.update(counts)
                division = cluster.divide(cluster.nodes(), job.config, grows)
                _segment(job, division, cluster.GROW_SECONDS if grows else START_SECONDS, counts, report)
    finally:
        job.ledger.refresh()  # an interrupt may have come between a record and its being noted here
        store.write_videos(storage.join(config.output, store.VIDEOS_FILE), job.rows())
    return job.rows()


def _segment(job: Job, division: cluster.Division, start_seconds: float, counts: Counts, report: Reporter) -> None:
    model = cluster.share_model(job.model)
    attempts = f"_attempts/{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    shards = job.shards(division.actors)
    pool = Pool(
        start=lambda: cluster.start_actor(division, model, job.config, job.options),
        actors=min(division.actors, len(shards)),
        max_attempts=job.config.max_attempts,
        output=job.config.output,
        folder=attempts,
        start_seconds=start_seconds,
    )
    try:
        rows: dict[str, list[VideoRow]] = {}  # attempt -> what its videos came to
        for worker, event in pool.run(shards):
            if isinstance(event, FramesDone):
                counts.frames += event.frames
            elif isinstance(event, VideoFinished):
                rows.setdefault(worker.attempt, []).append(event.row)
                _tell(event.row, report)
            elif isinstance(event, ShardWritten):
                assert worker.shard
                finished = rows.pop(worker.attempt)
                if job.ledger.commit(worker.attempt, worker.shard.shard_id, finished, event):
                    _count(finished, counts)
                else:
                    _outrun(job, worker.shard.items, pool, counts, report)
            elif isinstance(event, GivenUp):
                row = failed_row(event.item, event.error, event.attempts)
                _tell(row, report)
                if job.ledger.commit(f"{worker.attempt}-given-up", "", [row], None):
                    _count([row], counts)
                else:
                    _outrun(job, [event.item], pool, counts, report)
            elif isinstance(event, StillStarting):
                report.note(f"{event.up} of {event.wanted} actors have started; the run goes on with those")
            report.update(counts)
    finally:
        pool.stop()
        if not job.ledger.unpublished:  # else the next run publishes them
            storage.remove(storage.join(job.config.output, attempts))


def _outrun(job: Job, items: Sequence[WorkItem], pool: Pool, counts: Counts, report: Reporter) -> None:
    """Another run has committed some of a shard's videos first: this run's are dropped, the rest done again."""
    done = job.ledger.finished(retry_failed=True)
    rest = [item for item in items if item.work_id not in done]
    report.note(f"another run has finished {len(items) - len(rest)} videos of a shard; this run's are dropped")
    counts.done += len(items) - len(rest)
    if rest:
        pool.add(rest)


def _count(rows: list[VideoRow], counts: Counts) -> None:
    counts.done += sum(row.status == "done" for row in rows)
    counts.failed += sum(row.status == "failed" for row in rows)


def _tell(row: VideoRow, report: Reporter) -> None:
    """Say at once what went wrong, though it counts only when the shard is committed."""
    if row.status == "failed":
        report.note(f"{row.video_id}: {row.error_class}: {row.error_message}")
    elif row.damage:
        report.note(f"{row.video_id}: {row.damage}")


def _row(item: WorkItem, known: VideoRow | None) -> VideoRow:
    if known is not None and known.work_id == item.work_id:
        return known
    entry = item.entry
    return VideoRow(entry.video_id, item.work_id, "pending", entry.video, entry.prompts)


def _write_run_info(job: Job) -> None:
    info = {
        "stcn": version("stcn"),
        "schema": store.SCHEMA_VERSION,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "videos": len(job.items),
        "model": {"name": job.model.name, "sha256": job.model.sha256, "network": job.model.network},
        "propagation": vars(job.options),
        "config": job.config.as_dict(),
    }
    try:
        storage.write(storage.join(job.config.output, store.RUN_FILE), json.dumps(info, indent=1).encode())
    except OSError as error:
        raise FatalError(
            f"OUTPUT {job.config.output} cannot be written ({error}); legal: a folder or URL prefix that you may write"
        ) from error
