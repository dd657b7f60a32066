"""The run: plan what is missing, let actors do it, commit what they bring."""

import json
import time
import uuid
from dataclasses import dataclass
from importlib.metadata import version

from jobs import cluster, storage, store
from jobs.config import SegmentConfig
from jobs.identity import identify
from jobs.ledger import Ledger
from jobs.manifest import read_manifest
from jobs.models import ModelFile, find_model
from jobs.plan import plan
from jobs.pool import GivenUp, Pool
from jobs.progress import Counts, Reporter
from jobs.records import FramesDone, Shard, ShardWritten, VideoFinished, VideoRow, WorkItem
from jobs.segment import failed_row
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

    def rows(self) -> list[VideoRow]:
        """One row for every manifest entry: what became of it, or that it is pending."""
        return [_row(item, self.ledger.videos.get(item.entry.video_id)) for item in self.items]


def prepare(config: SegmentConfig) -> Job:
    """Read the manifest, the model and the ledger. Raises UserError; writes nothing but unfinished publishing."""
    entries = read_manifest(config.manifest)
    model = find_model(config.model, config.model_sha256)
    options = config.propagation(model.network)
    items = identify(entries, model.sha256, options)
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
        for video_id in job.lost:
            report.note(f"{video_id}: its masks are gone from {config.output}/masks, and are made again")
        if todo:
            with cluster.connected(), report:
                report.update(counts)
                _segment(job, counts, report)
    finally:
        store.write_videos(storage.join(config.output, store.VIDEOS_FILE), job.rows())
    return job.rows()


def _segment(job: Job, counts: Counts, report: Reporter) -> None:
    division = cluster.divide(cluster.available(), job.config)
    model = cluster.share_model(job.model)
    attempts = f"_attempts/{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    folder = storage.join(job.config.output, attempts)
    shards = job.shards(division.actors)
    pool = Pool(
        start=lambda: cluster.start_actor(division, model, job.config, job.options),
        actors=min(division.actors, len(shards)),
        max_attempts=job.config.max_attempts,
        folder=folder,
    )
    try:
        pool.wait_until_ready(cluster.START_SECONDS)
        rows: dict[str, list[VideoRow]] = {}  # attempt -> what its videos came to
        for worker, event in pool.run(shards):
            if isinstance(event, FramesDone):
                counts.frames += event.frames
            elif isinstance(event, VideoFinished):
                rows.setdefault(worker.attempt, []).append(event.row)
            elif isinstance(event, ShardWritten):
                assert worker.shard
                _commit(job, worker.attempt, worker.shard, rows.pop(worker.attempt), event, pool, counts, report)
            elif isinstance(event, GivenUp):
                row = failed_row(event.item, event.error, event.attempts)
                job.ledger.commit(f"{worker.attempt}-given-up-{event.item.work_id}", "", [row], None)
                _count([row], counts, report)
            report.update(counts)
    finally:
        pool.stop()
        storage.remove(folder)


def _commit(
    job: Job, attempt: str, shard: Shard, rows: list[VideoRow], written: ShardWritten,
    pool: Pool, counts: Counts, report: Reporter,
) -> None:  # fmt: skip
    relative = attempt.removeprefix(job.config.output).lstrip("/")
    if job.ledger.commit(relative, shard.shard_id, rows, written):
        _count(rows, counts, report)
        return
    finished = job.ledger.finished()
    rest = [item for item in shard.items if item.work_id not in finished]
    report.note(f"another run has finished {len(shard.items) - len(rest)} videos of a shard; this run's are dropped")
    counts.done += len(shard.items) - len(rest)
    if rest:
        pool.add(rest)


def _count(rows: list[VideoRow], counts: Counts, report: Reporter) -> None:
    for row in rows:
        counts.done += row.status == "done"
        counts.failed += row.status == "failed"
        if row.status == "failed":
            report.note(f"{row.video_id}: {row.error_class}: {row.error_message}")


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
    storage.write(storage.join(job.config.output, "run.json"), json.dumps(info, indent=1).encode())
