"""What videos have taken: frames, seconds of actors and bytes of masks, added up from the rows of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.ledger.ledger import Ledger
from jobs.ledger.published import Files
from jobs.segmenting.work_item import WorkItem

FURTHER = ("seconds", "frames_per_second", "run")  # columns of `videos/` beside those of STATE


@dataclass(frozen=True, kw_only=True)
class WorkDone:
    """Sums over videos that are settled."""

    videos: int = 0  # that are done
    quarantined: int = 0
    frames: int = 0
    actor_seconds: float = 0.0  # of actors at work on these videos, in each video's last try
    video_seconds: float = 0.0  # duration of the videos as they are played
    masks: int = 0
    mask_bytes: int = 0  # of Parquet in `masks/`

    @property
    def frames_per_second(self) -> float | None:
        """Of one actor; None where nothing was measured."""
        return self.frames / self.actor_seconds if self.frames and self.actor_seconds else None


def work_of_run(ledger: Ledger, run: str) -> WorkDone:
    """What the videos took that a run has settled. run: its name."""
    table = _rows(ledger)
    return _sums(table, pc.fill_null(pc.equal(table["run"], run), False), ledger.files)


def work_like(ledger: Ledger, items: Sequence[WorkItem]) -> WorkDone:
    """What the videos took that are done as a run would do them, those of other manifests among them.

    items: the videos of the run's manifest. Videos of it that were done with another model or other options are left
    out: these change speed and masks.
    """
    table = _rows(ledger)
    place = pc.index_in(table["video_id"], pa.array([item.entry.video_id for item in items], pa.string()))
    wanted = pa.array([item.work_id for item in items], pa.string()).take(place.combine_chunks())
    is_alike = pc.fill_null(pc.equal(table["work_id"].combine_chunks(), wanted), True)
    return _sums(table, pc.and_(pc.equal(table["status"], "done"), is_alike), ledger.files)


def _rows(ledger: Ledger) -> Any:
    table, further = ledger.videos.state_table(), ledger.videos.columns(FURTHER)
    for name in FURTHER:
        table = table.append_column(name, further[name])
    return table


def _sums(table: Any, is_chosen: Any, files: Files) -> WorkDone:
    chosen = table.filter(is_chosen)
    done = chosen.filter(pc.equal(chosen["status"], "done"))
    duration = pc.divide(pc.cast(done["frames_decoded"], pa.float64()), done["frames_per_second"])
    return WorkDone(
        videos=len(done),
        quarantined=len(chosen.filter(pc.equal(chosen["status"], "quarantined"))),
        frames=pc.sum(done["frames_decoded"]).as_py() or 0,
        actor_seconds=pc.sum(chosen["seconds"]).as_py() or 0.0,
        video_seconds=pc.sum(duration).as_py() or 0.0,
        masks=pc.sum(done["masks"]).as_py() or 0,
        mask_bytes=_mask_bytes(done, table, files),
    )


def _mask_bytes(done: Any, table: Any, files: Files) -> int:
    """The bytes of the masks of some videos. Each has a part of its file, by its number of masks.

    A file that was merged holds masks of other videos, too. table: the rows of all videos.
    """
    in_all, in_part = _masks_by_file(table), _masks_by_file(done)
    sizes = {name: file.num_bytes for name in in_part if (file := files.get(name))}
    return round(sum(size * in_part[name] / in_all[name] for name, size in sizes.items()))


def _masks_by_file(table: Any) -> dict[str, int]:
    sums = table.group_by("masks_file").aggregate([("masks", "sum")]).to_pylist()
    return {row["masks_file"]: row["masks_sum"] for row in sums if row["masks_file"] and row["masks_sum"]}
