"""Segmentation of one video: decode, propagate, encode. Independent of Ray and storage."""

import time
from collections.abc import Generator, Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from jobs.errors import DamagedError, PromptError
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.inputs.videos.decoder_choice import with_decoder
from jobs.inputs.videos.decoding import Decoding
from jobs.inputs.videos.video import Video
from jobs.outputs import store
from jobs.records import Entry, VideoRow
from jobs.segmenting.clip_propagation import segment_clip
from jobs.segmenting.device_decoding import decoding_for
from jobs.segmenting.scene_clips import Clip, split_into_clips
from jobs.segmenting.tracks import Tracks
from jobs.segmenting.video_context import SceneFrames, VideoContext, decoded_ahead
from jobs.segmenting.video_progress import VideoProgress
from jobs.segmenting.video_prompts import open_video, read_prompts
from jobs.segmenting.work_item import VideoOptions, WorkItem
from jobs.telemetry.stages import in_stage
from stcn_core.frames import prompted_frames
from stcn_core.models.network import Network

BATCH_ROWS = 2_000  # rows converted to Arrow at once
MAX_CUTS = 1_000  # cuts listed in a video's row, which is stored in the log

Segmented = tuple[VideoRow, list[Any]]  # a video's row, and its masks as Arrow tables


def segment_video(
    item: WorkItem,
    video_path: Path,
    prompts_path: Path,
    *,
    model: Network,
    decoding: Decoding | None = None,
) -> Generator[VideoProgress, None, Segmented]:
    """Segment one video from local files. Yields its progress at each step, and returns rows.

    decoding: of the video; None for what suits the model's device.
    Raises VideoError for a video or prompts that cannot be used, and DamagedError for damage if the options are
    strict.
    """
    started, entry, options = time.monotonic(), item.entry, item.options
    decoding = decoding or decoding_for(next(model.parameters()).device)
    limits, is_strict = options.requirements.limits, options.requirements.is_strict
    decoding = with_decoder(video_path, limits, decoding, is_strict=is_strict)
    with (
        open_video(video_path, item, decoding) as video,
        decoded_ahead(video) as decoded,
    ):
        prompts, first = read_prompts(prompts_path, item, video, decoded=decoded)
        yield VideoProgress(0, "opening", video.frames_expected)
        size = first.height, first.width
        cuts: list[int] = []
        if options.clips.on_cut != "keep":
            cuts = yield from _find_cuts(video_path, item, decoding)
        frames, tracks = SceneFrames(chain([first], decoded)), Tracks(prompts.names)
        context = VideoContext(
            path=video_path,
            video_id=entry.video_id,
            start=entry.start,
            size=size,
            limits=limits,
            decoding=decoding,
        )
        clips = split_into_clips(options.clips.on_cut, cuts, prompts)
        masks = yield from _segment_clips(clips, frames, context, tracks=tracks, model=model, options=options)
        if context.notes and not any(map(len, masks)):
            raise PromptError(f"no prompt is on a frame of the video: {context.notes[0]}")
        row = _done(
            item,
            video,
            frames,
            size=size,
            prompts=replace(prompts, notes=(*prompts.notes, *context.notes)),
            tracks=tracks,
            masks=sum(map(len, masks)),
            seconds=time.monotonic() - started,
        )
        if is_strict and row.damage:
            raise DamagedError(f"{row.damage}; repair the file, or run without --strict to accept it")
        return row, masks


def to_end(work: Generator[VideoProgress, None, Segmented]) -> Segmented:
    """Run `segment_video` to its end, for callers that need no progress."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _find_cuts(path: Path, item: WorkItem, decoding: Decoding) -> Generator[VideoProgress, None, list[int]]:
    """Find the scene cuts, counted from the entry's start. Yields at each frame.

    This is a separate pass over the video, because a clip's last frame must be known when the clip begins.
    """
    with open_video(path, item, decoding) as video, decoded_ahead(video) as decoded:
        frames = SceneFrames(decoded)
        for _ in frames:
            yield VideoProgress(0, "scan")
        return [cut - item.entry.start for cut in frames.cuts]


def _segment_clips(
    clips: Iterable[Clip],
    frames: SceneFrames,
    context: VideoContext,
    *,
    tracks: Tracks,
    model: Network,
    options: VideoOptions,
) -> Generator[VideoProgress, None, list[Any]]:
    """Propagate each clip. Yields its progress, and returns the masks as Arrow tables."""
    tables = _TableBuilder()
    for clip in clips:
        yield from _skip(frames, clip.first)
        clip_frames = frames.until(clip.end)
        steps = segment_clip(
            clip,
            clip_frames,
            context,
            tracks=tracks,
            model=model,
            config=options.propagation,
            cycle_check=options.clips.cycle_check,
        )
        for progress, rows in steps:
            tables.add(rows)
            yield progress._replace(frames=clip.first + progress.frames)
    if options.clips.on_cut != "stop":
        yield from _skip(frames, None)
    return tables.finish()


def _skip(frames: SceneFrames, end: int | None) -> Generator[VideoProgress, None, None]:
    """Consume frames that belong to no clip, up to `end` (exclusive)."""
    for _ in frames.until(end):
        yield VideoProgress(frames.taken)


class _TableBuilder:
    """Collects rows as Arrow tables, which take a third of the memory."""

    def __init__(self) -> None:
        self._tables: list[Any] = []
        self._rows: list[store.MaskRow] = []

    def add(self, rows: Iterable[store.MaskRow]) -> None:
        self._rows += rows
        if len(self._rows) >= BATCH_ROWS:
            with in_stage("encode"):
                self._tables.append(store.masks_table(self._rows))
            self._rows = []

    def finish(self) -> list[Any]:
        """Return all tables."""
        with in_stage("encode"):
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
        video_version=item.video_version,
        video_bytes=item.video_bytes,
        start=entry.start,
        end=entry.end,
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
        prompts_read=prompts.read,
        notes=(*video.notes, *prompts.notes, *_length_notes(entry, frames)),
        masks=masks,
        seconds=seconds,
        attempts=1,
    )


def _length_notes(entry: Entry, frames: SceneFrames) -> tuple[str, ...]:
    """Note a number of frames that is not the manifest's. A video that ends at a cut does not tell its own."""
    if entry.frames is None or not frames.is_exhausted or entry.frames_in_window(entry.frames) == frames.taken:
        return ()
    window = (
        "" if (entry.start, entry.end) == (0, None) else f" {entry.frames_in_window(entry.frames)} from start to end,"
    )
    return (f"the manifest gives the video {entry.frames} frames,{window} and {frames.taken} were decoded",)
