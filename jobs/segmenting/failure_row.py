"""A video's failure as its row."""

import traceback

from jobs.errors import VideoError
from jobs.records import VideoRow, WorkItem

MESSAGE_LENGTH, TRACEBACK_LENGTH = 2_000, 10_000  # characters: rows go into the log


def quarantined_row(
    item: WorkItem,
    error: BaseException,
    attempts: int = 1,
    *,
    seconds: float | None = None,
    error_class: str | None = None,
) -> VideoRow:
    """The row of a video that could not be segmented. error_class: where the error's own name does not say it."""
    entry = item.entry
    trace = None if isinstance(error, VideoError) else "".join(traceback.format_exception(error))
    return VideoRow(
        video_id=entry.video_id, work_id=item.work_id, status="quarantined", video=entry.video, prompts=entry.prompts,
        seconds=seconds, attempts=attempts, error_class=error_class or _class_of(error),
        error_message=_storable(str(error), MESSAGE_LENGTH), error_traceback=_storable(trace, TRACEBACK_LENGTH),
    )  # fmt: skip


def _class_of(error: BaseException) -> str:
    """Memory runs out under several names: Python's, PyTorch's, and a CPU allocator's RuntimeError."""
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "DefaultCPUAllocator" in str(error):
        return "OutOfMemory"
    return type(error).__name__


def _storable(text: str | None, length: int) -> str | None:
    """Without its middle where it is longer; and what is no UTF-8, as in some files' names, is escaped."""
    if text is None:
        return None
    text = text.encode(errors="backslashreplace").decode()
    if len(text) <= length:
        return text
    return f"{text[: length // 2]} ... {text[-length // 2 :]}"
