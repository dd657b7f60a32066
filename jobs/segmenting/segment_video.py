"""One video from files to rows: decode, propagate, encode. Knows nothing of Ray or storage."""

import time
from collections.abc import Generator, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from jobs.concurrency.prefetch import Prefetch
from jobs.errors import DamagedError, VideoError
from jobs.inputs.limits import VideoRequirements
from jobs.inputs.prompts.load import load_prompts
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.inputs.prompts.window import prompts_in_window
from jobs.inputs.video import Video
from jobs.outputs import store
from jobs.records import Entry, VideoRow, WorkItem
from jobs.segmenting.clip_propagation import segment_clip
from jobs.segmenting.scene_clips import DEFAULT_CLIP_OPTIONS, ClipOptions, split_into_clips
from jobs.segmenting.tracks import Tracks
from jobs.segmenting.video_context import PREFETCH_FRAMES, SceneFrames, VideoContext
from stcn_core.config import PropagationConfig
from stcn_core.frames import prompted_frames
from stcn_core.models.network import Network

ROWS_AT_ONCE = 2_000  # turned into Arrow together
MOST_CUTS = 1_000  # that a video's row lists; rows go into the log

Segmented = tuple[VideoRow, list[Any]]  # a video's row, and its masks as Arrow tables
NO_REQUIREMENTS = VideoRequirements()


def segment_video(
    item: WorkItem,
    video_path: Path,
    prompts_path: Path,
    *,
    model: Network,
    config: PropagationConfig,
    demands: VideoRequirements = NO_REQUIREMENTS,
    options: ClipOptions = DEFAULT_CLIP_OPTIONS,
) -> Generator[int, None, Segmented]:
    """Segment one video from local files. Yields the frames done so far, returns rows.

    Raises VideoError for a video or prompts that cannot be used.
    """
    started, entry, tables = time.monotonic(), item.entry, _Tables()
    with (
        Video(
            video_path, start=entry.start, end=entry.end, short_side=config.short_side, limits=demands.limits
        ) as video,
        Prefetch(video, PREFETCH_FRAMES) as decoded,
    ):
        first = next(decoded, None)
        if first is None:
            raise VideoError(f"no frame could be decoded from start={entry.start} on; the file claims {_claim(video)}")
        size = first.height, first.width
        prompts = prompts_in_window(
            load_prompts(prompts_path, entry, video.names, size=size), entry, height=first.height, width=first.width
        )
        cuts = [] if options.on_cut == "keep" else (yield from _find_cuts(video_path, entry, config, demands=demands))
        frames, tracks = SceneFrames(chain([first], decoded)), Tracks(prompts.names)
        context = VideoContext(
            path=video_path, video_id=entry.video_id, start=entry.start, size=size, limits=demands.limits
        )
        for clip in split_into_clips(options.on_cut, cuts, prompts):
            yield from _pass_by(frames, clip.first)
            clip_frames = frames.until(clip.end)
            for done, rows in segment_clip(
                clip, clip_frames, context, tracks=tracks, model=model, config=config, cycle_check=options.cycle_check
            ):
                tables.add(rows)
                yield clip.first + done
        if options.on_cut != "stop":
            yield from _pass_by(frames, None)
        masks = tables.finished()
        row = _done(
            item,
            video,
            frames,
            size=size,
            prompts=prompts,
            tracks=tracks,
            masks=sum(map(len, masks)),
            seconds=time.monotonic() - started,
        )
        if demands.is_strict and row.damage:
            raise DamagedError(f"{row.damage}; mend the file, or run without --strict to take it as it is")
        return row, masks


def _find_cuts(
    path: Path, entry: Entry, config: PropagationConfig, *, demands: VideoRequirements
) -> Generator[int, None, list[int]]:
    """A pass of its own: what a clip's last frame is must be known when it begins. Counts from the entry's start."""
    with (
        Video(path, start=entry.start, end=entry.end, short_side=config.short_side, limits=demands.limits) as video,
        Prefetch(video, PREFETCH_FRAMES) as decoded,
    ):
        frames = SceneFrames(decoded)
        for _ in frames:
            yield 0
        return [cut - entry.start for cut in frames.cuts]


def _pass_by(frames: SceneFrames, end: int | None) -> Generator[int, None, None]:
    """Frames that are in no clip."""
    for _ in frames.until(end):
        yield frames.taken


class _Tables:
    """Rows as Arrow tables, which take a third of the room."""

    def __init__(self) -> None:
        self._tables: list[Any] = []
        self._rows: list[store.MaskRow] = []

    def add(self, rows: Iterable[store.MaskRow]) -> None:
        self._rows += rows
        if len(self._rows) >= ROWS_AT_ONCE:
            self._tables.append(store.masks_table(self._rows))
            self._rows = []

    def finished(self) -> list[Any]:
        """All of them."""
        return [*self._tables, store.masks_table(self._rows)]


def _done(
    item: WorkItem,
    video: Video,
    frames: SceneFrames,
    *,
    size: tuple[int, int],
    prompts: Prompts,
    tracks: Tracks,
    masks: int,
    seconds: float,
) -> VideoRow:
    """The row of a video that is segmented."""
    entry = item.entry
    return VideoRow(
        video_id=entry.video_id,
        work_id=item.work_id,
        status="done",
        video=entry.video,
        prompts=entry.prompts,
        # A video that was left at a cut lacks nothing.
        frames_expected=video.frames_expected if frames.is_exhausted else frames.taken,
        frames_decoded=frames.taken,
        frames_corrupt=video.frames_corrupt,
        height=size[0],
        width=size[1],
        frames_per_second=float(video.frames_per_second),
        cuts=tuple(frames.cuts[:MOST_CUTS]),
        objects=len(prompted_frames(prompts.labels)),
        tracks=tracks.finished(),
        masks=masks,
        seconds=seconds,
        attempts=1,
    )


def _claim(video: Video) -> str:
    return "nothing" if video.frames_claimed is None else f"{video.frames_claimed} frames"
