"""One video from files to rows: decode, propagate, encode. Knows nothing of Ray or storage."""

import time
import traceback
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from jobs.ahead import Ahead
from jobs.errors import DamagedError, VideoError
from jobs.inputs.images import VideoFrame
from jobs.inputs.limits import Demands
from jobs.inputs.prompts.gathered import Prompts, frames_by_object
from jobs.inputs.prompts.load import load_prompts
from jobs.inputs.prompts.window import in_window
from jobs.inputs.video import Video
from jobs.outputs import rle, store
from jobs.records import VideoRow, WorkItem
from jobs.tracks import Tracks
from stcn_core.allocator import giving_back_freed_memory
from stcn_core.config import PropagationConfig
from stcn_core.network import Network
from stcn_core.propagation import propagate
from stcn_core.results import FrameMasks

ROWS_AT_ONCE = 2_000  # turned into Arrow together
FRAMES_AHEAD = 16  # decoded before the network asks for them: 20 MB at 480p

MESSAGE_LENGTH, TRACEBACK_LENGTH = 2_000, 10_000  # characters: rows go into the log

Segmented = tuple[VideoRow, list[Any]]  # a video's row, and its masks as Arrow tables


def segment_video(
    item: WorkItem,
    video_path: Path,
    prompts_path: Path,
    model: Network,
    config: PropagationConfig,
    demands: Demands | None = None,
) -> Generator[int, None, Segmented]:
    """Segment one video from local files. Yields the frames done so far, returns rows.

    Raises VideoError for a video or prompts that cannot be used.
    """
    started, entry, demands = time.monotonic(), item.entry, demands or Demands()
    with (
        Video(video_path, entry.start, entry.end, config.short_side, demands.limits) as video,
        Ahead(video, FRAMES_AHEAD) as frames,
    ):
        first = next(frames, None)
        if first is None:
            raise VideoError(f"no frame could be decoded from start={entry.start} on; the file claims {_claim(video)}")
        given = load_prompts(prompts_path, entry, video.names, size=(first.height, first.width))
        prompts = in_window(given, entry, first.height, first.width)
        prompted = frames_by_object({frame + entry.start: labels for frame, labels in prompts.labels.items()})
        tracks = Tracks(prompted, prompts.names)
        rows = _mask_rows(entry.video_id, first, frames, prompts, tracks, model, config)
        tables = yield from _gather(rows)
        row = VideoRow(
            video_id=entry.video_id,
            work_id=item.work_id,
            status="done",
            video=entry.video,
            prompts=entry.prompts,
            frames_expected=video.frames_expected,
            frames_decoded=video.frames_decoded,
            frames_corrupt=video.frames_corrupt,
            height=first.height,
            width=first.width,
            frames_per_second=float(video.frames_per_second),
            objects=len(prompted),
            tracks=tracks.finished(),
            masks=sum(len(table) for table in tables),
            seconds=time.monotonic() - started,
            attempts=1,
        )
        if demands.is_strict and row.damage:
            raise DamagedError(f"{row.damage}; mend the file, or run without --strict to take it as it is")
        return row, tables


def quarantined_row(
    item: WorkItem,
    error: BaseException,
    attempts: int = 1,
    seconds: float | None = None,
    error_class: str | None = None,
) -> VideoRow:
    """The row of a video that could not be segmented. error_class: where the error's own name does not say it."""
    entry = item.entry
    trace = None if isinstance(error, VideoError) else "".join(traceback.format_exception(error))
    return VideoRow(
        entry.video_id, item.work_id, "quarantined", entry.video, entry.prompts,
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


def _mask_rows(
    video_id: str,
    first: VideoFrame,
    others: Iterable[VideoFrame],
    prompts: Prompts,
    tracks: Tracks,
    model: Network,
    config: PropagationConfig,
) -> Iterator[list[store.MaskRow]]:
    """The rows of each frame."""
    under_way: deque[VideoFrame] = deque()  # what is known of frames that are in the network
    try:
        images = _images(chain([first], others), under_way)
        results = propagate(model, images, prompts.labels, config, size=(first.height, first.width))
        for result in giving_back_freed_memory(results):
            yield _rows(video_id, under_way.popleft(), result, tracks)
    except ValueError as error:  # what propagate refuses
        raise VideoError(str(error)) from error


def _images(frames: Iterable[VideoFrame], under_way: "deque[VideoFrame]") -> Iterator[np.ndarray]:
    for frame in frames:
        under_way.append(frame)
        yield frame.image


def _rows(video_id: str, frame: VideoFrame, result: FrameMasks, tracks: Tracks) -> list[store.MaskRow]:
    height, width = result.labels.shape
    masks = rle.encode(result.labels, result.object_ids)
    return [
        {
            "video_id": video_id,
            "frame_index": frame.index,
            "frame_name": frame.name,
            "pts_seconds": frame.pts_seconds,
            "object_id": object_id,
            "height": height,
            "width": width,
            "counts": mask.counts,
            "area": mask.area,
            "box": mask.box,
            "score": float(score),
            "stability": float(stability),
            "scene": 0,
            **tracks.describe(frame.index, object_id, mask.area),
        }
        for object_id, mask, score, stability in zip(
            result.object_ids, masks, result.scores, result.stability, strict=True
        )
    ]


def _gather(rows_of_frames: Iterator[list[store.MaskRow]]) -> Generator[int, None, list[Any]]:
    """Collect rows as Arrow tables; yields the frames done so far."""
    tables, rows = [], []
    for frames, of_one_frame in enumerate(rows_of_frames, start=1):
        rows += of_one_frame
        if len(rows) >= ROWS_AT_ONCE:
            tables.append(store.masks_table(rows))
            rows = []
        yield frames
    return [*tables, store.masks_table(rows)]


def _claim(video: Video) -> str:
    return "nothing" if video.frames_claimed is None else f"{video.frames_claimed} frames"
