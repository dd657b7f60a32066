"""The work of a run: the manifest's videos, compared with the work that the ledger records as done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.errors import UserError
from jobs.inputs.manifest import read_manifest
from jobs.inputs.model_file import ModelFile, find_model
from jobs.io.storage_policy import StoragePolicy, storage_policy
from jobs.ledger.ledger import Ledger
from jobs.outputs.selection_folder import refuse_selection
from jobs.planning.config import SegmentConfig
from jobs.planning.identity import identify
from jobs.planning.shards import plan_shards
from jobs.records import Shard, VideoRow, WorkItem
from stcn_core.config import PropagationConfig


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that is known before a run starts."""

    config: SegmentConfig
    model: ModelFile
    options: PropagationConfig
    items: list[WorkItem]
    ledger: Ledger
    is_retried: Callable[[VideoRow], bool]  # whether a settled video is segmented again

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
        latest = {item: self.ledger.videos.get(item.entry.video_id) for item in self.items}
        return sum(row is not None and row.status == "done" and row.work_id != i.work_id for i, row in latest.items())

    def rows(self) -> list[VideoRow]:
        """Return a row for every manifest entry, with its outcome or the status "pending"."""
        return [_row(item, self.ledger.videos.get(item.entry.video_id)) for item in self.items]


def prepare_job(config: SegmentConfig, only: Sequence[str] | None = None) -> Job:
    """Read the manifest, the model and the ledger, and write nothing. Raises UserError.

    only: error classes whose quarantined videos are retried; empty: all classes; None: no video is retried.
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
            on_bad_frame=config.on_bad_frame,
        )
        ledger = Ledger(config.output)
    _check_classes(only or (), ledger)
    return Job(
        config=config,
        model=model,
        options=options,
        items=items,
        ledger=ledger,
        is_retried=_retry_rule(config.strict, only),
    )


def _check_classes(only: Sequence[str], ledger: Ledger) -> None:
    classes = sorted({str(row.error_class) for row in ledger.videos.values() if row.status == "quarantined"})
    if unknown := sorted(set(only) - set(classes)):
        raise UserError(f"--only {', '.join(unknown)}: no quarantined video has this class; legal: {classes}")


def _retry_rule(is_strict: bool, only: Sequence[str] | None) -> Callable[[VideoRow], bool]:
    """Return the rule for settled videos: retry those requested, and those whose outcome --strict has changed.

    A strict run retries damaged videos that are done; any other run retries those that only a strict run quarantined.
    """

    def is_retried(row: VideoRow) -> bool:
        if row.status == "quarantined":
            is_requested = only is not None and (not only or row.error_class in only)
            return is_requested or (row.error_class == "DamagedError" and not is_strict)
        return is_strict and row.damage is not None

    return is_retried


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
    )
