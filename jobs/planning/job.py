"""What there is to do: the manifest's videos beside what the ledger says is done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.errors import UserError
from jobs.inputs.manifest import read_manifest
from jobs.inputs.model_file import ModelFile, find_model
from jobs.io.policy import StoragePolicy, storage_policy
from jobs.ledger.ledger import Ledger
from jobs.outputs.selection import refuse_selection
from jobs.planning.config import SegmentConfig
from jobs.planning.identity import identify
from jobs.planning.shards import plan_shards
from jobs.records import Shard, VideoRow, WorkItem
from stcn_core.config import PropagationConfig


@dataclass(frozen=True, kw_only=True)
class Job:
    """Everything that is known before anything runs."""

    config: SegmentConfig
    model: ModelFile
    options: PropagationConfig
    items: list[WorkItem]
    ledger: Ledger
    again: Callable[[VideoRow], bool]  # which rows are done again although they are settled

    def todo(self) -> list[WorkItem]:
        """What a run would do."""
        finished = self.ledger.finished(self.again)
        return [item for item in self.items if item.work_id not in finished]

    def shards(self, actors: int) -> list[Shard]:
        """The same, as it would be handed out."""
        return plan_shards(
            self.items, self.ledger.finished(self.again), actors, frames_per_shard=self.config.frames_per_shard
        )

    def outdated(self) -> int:
        """How many videos have masks that this run will replace."""
        known = {item: self.ledger.videos.get(item.entry.video_id) for item in self.items}
        return sum(row is not None and row.status == "done" and row.work_id != i.work_id for i, row in known.items())

    def rows(self) -> list[VideoRow]:
        """One row for every manifest entry: what became of it, or that it is pending."""
        return [_row(item, self.ledger.videos.get(item.entry.video_id)) for item in self.items]


def prepare_job(config: SegmentConfig, only: Sequence[str] | None = None) -> Job:
    """Read the manifest, the model and the ledger; nothing is written. Raises UserError.

    only: classes of errors whose videos are taken out of quarantine; empty: all of them; None: none.
    """
    with storage_policy(StoragePolicy(config.storage_patience, config.verify_downloads)):
        refuse_selection(config.output)
        entries = read_manifest(config.manifest, config.allow or ())
        model = find_model(config.model, config.model_sha256, similarity=config.similarity)
        options = config.propagation(model)
        items = identify(
            entries,
            model.sha256,
            options,
            precision=config.precision,
            clip_options=config.clip_options(),
            similarity=config.similarity,
        )
        ledger = Ledger(config.output)
    _check_classes(only or (), ledger)
    return Job(
        config=config, model=model, options=options, items=items, ledger=ledger, again=_again(config.strict, only)
    )


def _check_classes(only: Sequence[str], ledger: Ledger) -> None:
    there = sorted({str(row.error_class) for row in ledger.videos.values() if row.status == "quarantined"})
    if unknown := sorted(set(only) - set(there)):
        raise UserError(f"--only {', '.join(unknown)}: no quarantined video has that class; there are {there}")


def _again(is_strict: bool, only: Sequence[str] | None) -> Callable[[VideoRow], bool]:
    """Which settled videos are done again: those asked for, and those that --strict, come or gone, judges otherwise."""

    def again(row: VideoRow) -> bool:
        if row.status == "quarantined":
            is_wanted = only is not None and (not only or row.error_class in only)
            return is_wanted or (row.error_class == "DamagedError" and not is_strict)
        return is_strict and row.damage is not None

    return again


def _row(item: WorkItem, known: VideoRow | None) -> VideoRow:
    if known is not None and known.work_id == item.work_id:
        return known
    entry = item.entry
    return VideoRow(
        video_id=entry.video_id, work_id=item.work_id, status="pending", video=entry.video, prompts=entry.prompts
    )
