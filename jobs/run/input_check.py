"""`stcn plan --check`: what would fail, found from prompts and headers before a cluster is paid for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from jobs.concurrency.threads import inheriting_pool
from jobs.errors import CredentialsError, PromptError, VideoError, missing_is, printable
from jobs.inputs.listed_video import require_as_listed
from jobs.io import scratch, storage
from jobs.io.outline import outline
from jobs.records import VideoRow
from jobs.segmenting.failure_row import quarantined_row
from jobs.segmenting.video_prompts import check_inputs
from jobs.segmenting.work_item import WorkItem

PARALLEL_CHECKS = 8


def find_failures(items: Sequence[WorkItem]) -> Iterator[VideoRow]:
    """Check each video's header and prompts, several at a time; yield a row for each one that would fail."""
    with inheriting_pool(PARALLEL_CHECKS) as pool:
        yield from (row for row in pool.map(_failure, items) if row is not None)


def describe_failures(checked: int, failures: Sequence[VideoRow], in_all: int) -> str:
    """Name the videos that would fail, each with its reason. in_all: videos that there are to do."""
    of_all = f" of the {in_all} to do" if checked < in_all else ""
    head = f"checked {checked} videos{of_all}: {len(failures)} would fail"
    return "\n".join([head, *(f"  {printable(f.video_id)}: {f.error_class}: {_reason(f)}" for f in failures)])


def _reason(row: VideoRow) -> str:
    return printable(row.error_message or "")


def _failure(item: WorkItem) -> VideoRow | None:
    with scratch.temporary() as folder:
        try:
            with missing_is(VideoError):
                require_as_listed(item.entry)
                video = outline(item.entry.video, Path(folder, "outline"))
            with missing_is(PromptError):
                prompts = storage.download(item.entry.prompts, Path(folder, "prompts"), with_folders=True)
            try:
                check_inputs(video, prompts, item)
            except PromptError:
                raise
            except VideoError:  # a long video's index may lie between the outline's two parts
                check_inputs(storage.download(item.entry.video, Path(folder, "video")), prompts, item)
        except CredentialsError:
            raise
        except Exception as error:  # whatever a video's bytes bring about would be its failure in a run
            return quarantined_row(item, error)
    return None
