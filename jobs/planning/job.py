"""The work of a run: the manifest's videos, compared with the work that the ledger records as done."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from jobs.errors import UserError
from jobs.inputs.manifest import read_manifest
from jobs.inputs.model_file import ModelFile, find_model
from jobs.io import storage
from jobs.io.storage_policy import QUICK_SECONDS, StoragePolicy, storage_policy
from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from jobs.outputs.packed_rows import PackedRows
from jobs.outputs.selection_folder import refuse_selection
from jobs.planning.config import SegmentConfig
from jobs.planning.identity import Identified, identify
from jobs.planning.kept_answers import KeptAnswers, read_answers
from jobs.planning.latest_rows import LatestRows, read_table
from jobs.planning.length import Rates, measured_rates
from jobs.planning.retry_rule import RetryRule, check_classes, done_work, retry_rule
from jobs.planning.row_options import RowOptions, option_columns
from jobs.planning.shards import plan_shards
from jobs.records import Entry, VideoRow
from jobs.segmenting.work_item import Shard, WorkItem
from stcn_core.config import PropagationConfig

ROWS_AT_ONCE = 20_000  # of a table that is written, 3 KB each as objects


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that is known before a run starts."""

    config: SegmentConfig
    model: ModelFile
    options: PropagationConfig
    items: list[WorkItem]
    unused_columns: list[str]  # of the manifest
    table: PackedRows  # rows of all manifests that the output was given before
    ledger: Ledger
    is_retried: RetryRule
    rates: Rates  # by which lengths are estimated
    kept: KeptAnswers  # of earlier runs
    answers: KeptAnswers  # for later ones
    ask: Callable[..., Identified]  # `identify` with the terms of this run

    def without_lost(self) -> "tuple[Job, list[str]]":
        """Let videos whose masks are gone count as not done; returns the job as it is then, and their ids.

        Storage is asked for each video whose kept answer was believed because it was done.
        """
        lost = self.ledger.forget_lost()
        if not self.believed():
            return self, lost
        done = done_work(self.ledger, self.is_retried)
        doubted = [
            number
            for number, item in enumerate(self.items)
            if item.is_believed and item.work_id != done.get(item.entry.video_id)
        ]
        found = self.ask([self.items[number].entry for number in doubted], kept=self.answers)
        items = list(self.items)
        for number, item in zip(doubted, found.items, strict=True):
            items[number] = item
        return replace(self, items=items, answers=found.answers), lost

    def believed(self) -> int:
        """Count the videos that storage was not asked for, as their kept answers lead to work that is done."""
        return sum(item.is_believed for item in self.items)

    def todo(self) -> list[WorkItem]:
        """Return the work that a run would do."""
        finished = self.ledger.finished(self.is_retried)
        return [item for item in self.items if item.work_id not in finished]

    def shards(self, actors: int) -> list[Shard]:
        """Plan the shards of this work for a number of actors."""
        finished = self.ledger.finished(self.is_retried)
        return plan_shards(self.items, finished, actors, frames_per_shard=self.config.frames_per_shard)

    def outdated(self) -> int:
        """Count the videos whose masks the run will replace."""
        work = {item.entry.video_id: item.work_id for item in self.items}
        done = (state for state in self.ledger.videos.states() if state.status == "done")
        return sum(work.get(state.video_id, state.work_id) != state.work_id for state in done)

    def counts(self) -> Counter[str]:
        """Count the manifest's entries by the status of their work."""
        work = {item.work_id for item in self.items}
        counts = Counter(state.status for state in self.ledger.videos.states() if state.work_id in work)
        settled = Counter({status: counts[status] for status in ("done", "quarantined")})
        return settled + Counter({"pending": len(self.items) - settled.total()})

    def tables(self) -> Iterator[Any]:
        """Yield a row for every manifest entry, with its outcome or the status "pending", as Arrow tables."""
        for start in range(0, len(self.items), ROWS_AT_ONCE):
            items = self.items[start : start + ROWS_AT_ONCE]
            latest = {row.video_id: row for row in self.ledger.videos.select(item.entry.video_id for item in items)}
            yield store.videos_table(_row(item, latest.get(item.entry.video_id)) for item in items)

    def latest(self) -> LatestRows:
        """Return the outcome of every manifest entry, once the table has their rows."""
        return LatestRows(
            read_table(self.config.output), self.ledger.videos, {item.entry.video_id for item in self.items}
        )

    def others(self) -> LatestRows:
        """Return the rows of the videos that only earlier manifests had."""
        latest = LatestRows(self.table, self.ledger.videos)
        return LatestRows(self.table, self.ledger.videos, latest.ids() - {item.entry.video_id for item in self.items})

    def write_table(self) -> None:
        """Write the row of every video that the output was ever given to `videos/`."""
        tables = chain(self.tables(), self.others().tables())
        location = storage.join(self.config.output, store.VIDEOS_FILE)
        store.write_video_tables(location, tables, records=self.ledger.records)

    def write_answers(self) -> None:
        """Keep the answers that later runs may believe, where they are not those that are kept already."""
        if not self.answers.table.equals(self.kept.table):
            self.answers.write(self.config.output)


def prepare_job(
    config: SegmentConfig,
    classes: Sequence[str] | None = None,
    *,
    before_asking: Callable[[ModelFile, int], None] = lambda model, videos: None,
) -> Job:
    """Read the manifest, the model and the ledger, ask storage for the videos, and write nothing. Raises UserError.

    classes: error classes whose quarantined videos are retried; empty: all classes; None: no video is retried.
    before_asking: is told the model, and how many videos at least the ledger does not know: to ask takes a while.
    """
    with storage_policy(StoragePolicy(config.storage_patience, config.verify_downloads)):
        refuse_selection(config.output)
        manifest = read_manifest(config.manifest, config.allow or (), options=option_columns())
        model = _find_model(config)
        entries = _chosen(manifest.entries, config)
        options = RowOptions(config, model)
        options.check(entries)
        ledger, table, kept = Ledger(config.output), read_table(config.output), read_answers(config.output)
        check_classes(classes or (), ledger)
        is_retried, rates = retry_rule(config, classes), measured_rates(ledger.videos)
        ask = partial(
            identify,
            model_sha256=model.sha256,
            options_of=options.of,
            precision=config.precision,
            similarity=config.similarity,
            rates=rates,
        )
        before_asking(model, len(entries) - len(ledger.videos))
        found = ask(entries, kept=kept, done=done_work(ledger, is_retried) if len(kept) and not config.recheck else {})
    return Job(
        config=config,
        model=model,
        options=config.propagation(model),
        items=found.items,
        unused_columns=manifest.unused_columns,
        ledger=ledger,
        table=table,
        is_retried=is_retried,
        rates=rates,
        kept=kept,
        answers=found.answers,
        ask=ask,
    )


def _find_model(config: SegmentConfig) -> ModelFile:
    """The run's model. Somebody looks on: a URL that leads nowhere is an error within seconds."""
    patience = min(QUICK_SECONDS, config.storage_patience)
    with storage_policy(StoragePolicy(patience, config.verify_downloads)):
        return find_model(config.model, config.model_sha256, similarity=config.similarity)


def _chosen(entries: list[Entry], config: SegmentConfig) -> list[Entry]:
    """The manifest's entries, or those of --only. Raises UserError for ids that the manifest lacks."""
    known = {entry.video_id for entry in entries}
    for name, ids in (("--only", config.only), ("--redo", config.redo)):
        if unknown := sorted(set(ids or ()) - known):
            raise UserError(f"{name} {', '.join(unknown[:5])}: {config.manifest} has no such video_id")
    return entries if config.only is None else [entry for entry in entries if entry.video_id in set(config.only)]


def _row(item: WorkItem, latest: VideoRow | None) -> VideoRow:
    if latest is not None and latest.work_id == item.work_id:
        return latest
    entry = item.entry
    return VideoRow(
        video_id=entry.video_id,
        work_id=item.work_id,
        status="pending",
        video=entry.video,
        prompts=entry.prompts,
        start=entry.start,
        end=entry.end,
    )
