"""Segmentation of one video: decode, propagate, encode. Independent of Ray and storage."""

import time
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from jobs.concurrency.prefetch import Prefetch
from jobs.errors import DamagedError, VideoError
from jobs.inputs.limits import VideoRequirements
from jobs.inputs.prompts.load import load_prompts
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.inputs.prompts.window import prompts_in_window
from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.video import Video
from jobs.outputs import store
from jobs.records import Entry, VideoRow, WorkItem
from jobs.segmenting.clip_propagation import segment_clip
from jobs.segmenting.scene_clips import DEFAULT_CLIP_OPTIONS, Clip, ClipOptions, split_into_clips
from jobs.segmenting.tracks import Tracks
from jobs.segmenting.video_context import PREFETCH_FRAMES, SceneFrames, VideoContext
from stcn_core.config import PropagationConfig
from stcn_core.frames import prompted_frames
from stcn_core.models.network import Network

BATCH_ROWS = 2_000  # rows converted to Arrow at once
MAX_CUTS = 1_000  # cuts listed in a video's row, which is stored in the log

Segmented = tuple[VideoRow, list[Any]]  # a video's row, and its masks as Arrow tables
NO_REQUIREMENTS = VideoRequirements()


def segment_video(
    item: WorkItem,
    video_path: Path,
    prompts_path: Path,
    *,
    model: Network,
    config: PropagationConfig,
    requirements: VideoRequirements = NO_REQUIREMENTS,
    options: ClipOptions = DEFAULT_CLIP_OPTIONS,
) -> Generator[int, None, Segmented]:
    """Segment one video from local files. Yields the number of frames done so far, and returns rows.

    Raises VideoError for a video or prompts that cannot be used, and DamagedError for damage if `requirements` are
    strict.
    """
    started, entry = time.monotonic(), item.entry
    with (
        _open(video_path, entry, config, requirements=requirements) as video,
        Prefetch(video, PREFETCH_FRAMES) as decoded,
    ):
        first = _first_frame(decoded, video, entry)
        size = first.height, first.width
        given = load_prompts(prompts_path, entry, video.names, size=size)
        prompts = prompts_in_window(given, entry, height=first.height, width=first.width)
        cuts: list[int] = []
        if options.on_cut != "keep":
            cuts = yield from _find_cuts(video_path, entry, config, requirements=requirements)
        frames, tracks = SceneFrames(chain([first], decoded)), Tracks(prompts.names)
        context = VideoContext(
            path=video_path, video_id=entry.video_id, start=entry.start, size=size, limits=requirements.limits
        )
        clips = split_into_clips(options.on_cut, cuts, prompts)
        masks = yield from _segment_clips(
            clips, frames, context, tracks=tracks, model=model, config=config, options=options
        )
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
        if requirements.is_strict and row.damage:
            raise DamagedError(f"{row.damage}; repair the file, or run without --strict to accept it")
        return row, masks


def _open(path: Path, entry: Entry, config: PropagationConfig, *, requirements: VideoRequirements) -> Video:
    return Video(path, start=entry.start, end=entry.end, short_side=config.short_side, limits=requirements.limits)


def _first_frame(decoded: Iterator[VideoFrame], video: Video, entry: Entry) -> VideoFrame:
    frame = next(decoded, None)
    if frame is None:
        claim = "nothing" if video.frames_claimed is None else f"{video.frames_claimed} frames"
        raise VideoError(f"no frame could be decoded from start={entry.start} on; the file claims {claim}")
    return frame


def _find_cuts(
    path: Path, entry: Entry, config: PropagationConfig, *, requirements: VideoRequirements
) -> Generator[int, None, list[int]]:
    """Find the scene cuts, counted from the entry's start. Yields 0 for each frame.

    This is a separate pass over the video, because a clip's last frame must be known when the clip begins.
    """
    with (
        _open(path, entry, config, requirements=requirements) as video,
        Prefetch(video, PREFETCH_FRAMES) as decoded,
    ):
        frames = SceneFrames(decoded)
        for _ in frames:
            yield 0
        return [cut - entry.start for cut in frames.cuts]


def _segment_clips(
    clips: Iterable[Clip],
    frames: SceneFrames,
    context: VideoContext,
    *,
    tracks: Tracks,
    model: Network,
    config: PropagationConfig,
    options: ClipOptions,
) -> Generator[int, None, list[Any]]:
    """Propagate each clip. Yields the number of frames done so far, and returns the masks as Arrow tables."""
    tables = _TableBuilder()
    for clip in clips:
        yield from _skip(frames, clip.first)
        clip_frames = frames.until(clip.end)
        for done, rows in segment_clip(
            clip, clip_frames, context, tracks=tracks, model=model, config=config, cycle_check=options.cycle_check
        ):
            tables.add(rows)
            yield clip.first + done
    if options.on_cut != "stop":
        yield from _skip(frames, None)
    return tables.finish()


def _skip(frames: SceneFrames, end: int | None) -> Generator[int, None, None]:
    """Consume frames that belong to no clip, up to `end` (exclusive)."""
    for _ in frames.until(end):
        yield frames.taken


class _TableBuilder:
    """Collects rows as Arrow tables, which take a third of the memory."""

    def __init__(self) -> None:
        self._tables: list[Any] = []
        self._rows: list[store.MaskRow] = []

    def add(self, rows: Iterable[store.MaskRow]) -> None:
        self._rows += rows
        if len(self._rows) >= BATCH_ROWS:
            self._tables.append(store.masks_table(self._rows))
            self._rows = []

    def finish(self) -> list[Any]:
        """Return all tables."""
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
    """Build the row of a segmented video."""
    entry = item.entry
    return VideoRow(
        video_id=entry.video_id,
        work_id=item.work_id,
        status="done",
        video=entry.video,
        prompts=entry.prompts,
        start=entry.start,
        # Frames after the cut at which a video ends are not missing.
        frames_expected=video.frames_expected if frames.is_exhausted else frames.taken,
        frames_decoded=frames.taken,
        frames_corrupt=video.frames_corrupt,
        height=size[0],
        width=size[1],
        pixel_aspect=video.pixel_aspect,
        frames_per_second=float(video.frames_per_second),
        cuts=tuple(frames.cuts[:MAX_CUTS]),
        objects=len(prompted_frames(prompts.labels)),
        tracks=tracks.records(),
        notes=(*video.notes,),
        masks=masks,
        seconds=seconds,
        attempts=1,
    )
