"""The row of a failed video."""

import traceback

from jobs.errors import StorageError, VideoError
from jobs.records import VideoRow
from jobs.segmenting.work_item import WorkItem

MESSAGE_LENGTH, TRACEBACK_LENGTH = 2_000, 10_000  # characters; bounded, since rows are stored in the log


def quarantined_row(
    item: WorkItem,
    error: BaseException,
    attempts: int = 1,
    *,
    seconds: float | None = None,
    error_class: str | None = None,
) -> VideoRow:
    """Build the row of a video that could not be segmented.

    attempts: number of attempts so far. seconds: duration of the last attempt. error_class: replaces the error's own
    class name.
    """
    entry = item.entry
    trace = None if isinstance(error, VideoError) else "".join(traceback.format_exception(error))
    return VideoRow(
        video_id=entry.video_id, work_id=item.work_id, status="quarantined", video=entry.video, prompts=entry.prompts,
        start=entry.start, end=entry.end, seconds=seconds, attempts=attempts,
        error_class=error_class or _class_of(error),
        error_message=_storable(str(error), MESSAGE_LENGTH), error_traceback=_storable(trace, TRACEBACK_LENGTH),
    )  # fmt: skip


def _class_of(error: BaseException) -> str:
    """Return the name of an error's class, one name for every lack of memory, and one for storage.

    Python and PyTorch each have their own class, and PyTorch's CPU allocator raises RuntimeError.
    """
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "DefaultCPUAllocator" in str(error):
        return "OutOfMemory"
    if isinstance(error, StorageError):
        return "StorageError"
    return type(error).__name__


def _storable(text: str | None, length: int) -> str | None:
    """Shorten a text by cutting out its middle, and escape characters that are not UTF-8, as in some file names."""
    if text is None:
        return None
    text = text.encode(errors="backslashreplace").decode()
    if len(text) <= length:
        return text
    return f"{text[: length // 2]} ... {text[-length // 2 :]}"
