"""One clip from frames to rows of masks: the backward pass if requested, the forward pass, and the cycle check."""

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from jobs.errors import EndsEarlyError, VideoError
from jobs.inputs.prompts.window import prompts_in_clip
from jobs.inputs.videos.images import VideoFrame
from jobs.outputs import rle
from jobs.outputs.store import MaskRow
from jobs.segmenting.backward_pass import propagate_backward
from jobs.segmenting.cycle_check import check_tracks
from jobs.segmenting.disk_plane_stack import DiskPlaneStack
from jobs.segmenting.scene_clips import Clip
from jobs.segmenting.tracks import Tracks
from jobs.segmenting.video_context import VideoContext
from jobs.segmenting.video_progress import VideoProgress
from jobs.telemetry.stages import Timed, in_stage
from stcn_core.config import PropagationConfig
from stcn_core.frames import prompted_frames
from stcn_core.models.network import Network
from stcn_core.propagation.bidirectional import num_backward_frames, run_forward_pass
from stcn_core.propagation.plane_stack import PlaneStack
from stcn_core.propagation.results import FrameMasks
from stcn_core.yuv import YuvFrame

Step = tuple[VideoProgress, list[MaskRow]]  # progress in the clip, and the rows of its last frame
Frames = Iterable[tuple[int, VideoFrame]]  # scene number and frame


def segment_clip(
    clip: Clip,
    frames: Frames,
    context: VideoContext,
    *,
    tracks: Tracks,
    model: Network,
    config: PropagationConfig,
    cycle_check: bool,
) -> Iterator[Step]:
    """Propagate a clip's prompts through its frames, and add its masks to `tracks`.

    Yields a step whenever there is progress; a step before a frame's forward pass has no rows. Where a frame is visited
    in both directions, each pass counts as half a frame. Raises VideoError.
    """
    start = context.start + clip.first
    with tempfile.TemporaryFile() as file:
        stack = DiskPlaneStack(file)
        try:
            yield from _propagate_backward(clip, context, model=model, config=config, stack=stack)
        except EndsEarlyError as error:
            clip = _without_missed(clip, error.frames - start, context)
            yield from _propagate_backward(clip, context, model=model, config=config, stack=stack)
        tracks.begin_clip(prompted_frames(clip.prompts.labels, start))
        num_backward, done = num_backward_frames(clip.prompts.labels, config), 0
        for done, rows in enumerate(
            _propagate_forward(clip, frames, context, tracks=tracks, model=model, config=config, stack=stack), start=1
        ):
            yield VideoProgress(max(done, (num_backward + done) // 2)), rows
    if cycle_check:
        for _ in check_tracks(context, start, clip.prompts, tracks=tracks, model=model, config=config):
            yield VideoProgress(done, "cycle check"), []


def _propagate_backward(
    clip: Clip, context: VideoContext, *, model: Network, config: PropagationConfig, stack: PlaneStack
) -> Iterator[Step]:
    start = context.start + clip.first
    for backward in propagate_backward(context, start, clip.prompts, model=model, config=config, stack=stack):
        yield VideoProgress(backward // 2, "backward pass" if backward else "scan"), []


def _without_missed(clip: Clip, frames: int, context: VideoContext) -> Clip:
    """A clip without its prompts on frames that the video turned out to lack. frames: that the clip has."""
    if missed := [frame + clip.first + context.start for frame in clip.prompts.labels if frame >= frames]:
        end = frames + clip.first + context.start
        context.notes.append(f"the video ends before frame {end}, so the masks of frames {missed[:10]} are not used")
    return replace(clip, prompts=prompts_in_clip(clip.prompts, 0, frames))


def _propagate_forward(
    clip: Clip,
    frames: Frames,
    context: VideoContext,
    *,
    tracks: Tracks,
    model: Network,
    config: PropagationConfig,
    stack: PlaneStack,
) -> Iterator[list[MaskRow]]:
    """Yield the rows of each frame."""
    pending: deque[tuple[int, VideoFrame]] = deque()  # frames in propagation, whose masks are still to come
    labels = dict(clip.prompts.labels)
    try:
        images = _images(frames, pending, clip=clip, labels=labels, context=context)
        results = run_forward_pass(
            model, images, labels, config=config, stack=stack, size=context.size, removals=clip.prompts.removals
        )
        for result in Timed("propagate", results):
            with in_stage("encode"):
                rows = _rows(context.video_id, *pending.popleft(), result=result, tracks=tracks)
            yield rows
    except ValueError as error:  # propagation rejects frames or prompts
        raise VideoError(str(error)) from error


def _images(
    frames: Frames,
    pending: "deque[tuple[int, VideoFrame]]",
    *,
    clip: Clip,
    labels: dict[int, np.ndarray],
    context: VideoContext,
) -> Iterator[np.ndarray | YuvFrame]:
    """The frames' images. After the last one, prompts on frames that the clip lacks leave `labels`, with a note."""
    count = 0
    for scene, frame in frames:
        count += 1
        pending.append((scene, frame))
        yield frame.pixels
    for frame_index in labels.keys() - _without_missed(clip, count, context).prompts.labels.keys():
        del labels[frame_index]


def _rows(video_id: str, scene: int, frame: VideoFrame, *, result: FrameMasks, tracks: Tracks) -> list[MaskRow]:
    height, width = result.winners.shape
    masks = rle.encode(result.winners, range(1, 1 + len(result.object_ids)))
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
            "scene": scene,
            **tracks.add_mask(frame.index, object_id, mask, stability=float(stability)),
        }
        for object_id, mask, score, stability in zip(
            result.object_ids, masks, result.scores, result.stability, strict=True
        )
    ]
