"""Segments a few videos in this process, to measure what they take. Nothing of it is kept."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import CredentialsError, PromptError, VideoError, missing_is
from jobs.inputs.listed_video import require_as_listed
from jobs.io import scratch, storage
from jobs.outputs import store
from jobs.records import VideoRow
from jobs.segmenting.failure_row import quarantined_row
from jobs.segmenting.segment_video import Segmented, segment_video, to_end
from jobs.segmenting.video_progress import VideoProgress
from jobs.segmenting.work_item import WorkItem
from stcn_core.models.network import Network

WARM_UP_FRAMES = 16  # of the first video, segmented once more: the first frames load libraries and choose algorithms


@dataclass(frozen=True)
class SampledVideo:
    """What one video took."""

    item: WorkItem
    row: VideoRow  # its seconds are those that an actor would note: from opening the files to rows, without downloads
    mask_bytes: int  # of its masks in Parquet


def segment_sample(items: Sequence[WorkItem], model: Network) -> Iterator[SampledVideo]:
    """Segment videos one after another into a temporary folder; yield what each took, also where it failed."""
    is_warm = False
    for item in items:
        with scratch.temporary() as name:
            sampled = _sampled(item, Path(name), model, is_warm=is_warm)
        is_warm |= sampled.row.status == "done"
        yield sampled


def _sampled(item: WorkItem, folder: Path, model: Network, *, is_warm: bool) -> SampledVideo:
    started = time.monotonic()
    try:
        video, prompts = _fetch(item, folder)
        if not is_warm:
            _warm_up(segment_video(item, video, prompts, model=model))
        started = time.monotonic()
        row, tables = to_end(segment_video(item, video, prompts, model=model))
    except CredentialsError:
        raise
    except Exception as error:  # whatever a video's bytes bring about would be its failure in a run
        return SampledVideo(item, quarantined_row(item, error, seconds=time.monotonic() - started), 0)
    # 6 to 8 kB describe a file and its row group, whatever the rows. The videos of a shard share them.
    of_one_row = _parquet_bytes(folder / "one.parquet", [table.slice(0, 1) for table in tables[:1]])
    return SampledVideo(item, row, _parquet_bytes(folder / "masks.parquet", tables) - of_one_row)


def _fetch(item: WorkItem, folder: Path) -> tuple[Path, Path]:
    with missing_is(VideoError):
        video = storage.download(item.entry.video, folder / "video")
        require_as_listed(item.entry)
    with missing_is(PromptError):
        return video, storage.download(item.entry.prompts, folder / "prompts", with_folders=True)


def _warm_up(work: Generator[VideoProgress, None, Segmented]) -> None:
    with closing(work):
        next((progress for progress in work if progress.frames >= WARM_UP_FRAMES), None)


def _parquet_bytes(path: Path, tables: Sequence[Any]) -> int:
    with store.MaskWriter(path) as masks:
        for table in tables:
            masks.add(table)
    return path.stat().st_size
