"""One clip from frames to rows of masks: backward where that is asked for, forward, and the check of its tracks."""

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from jobs.errors import VideoError
from jobs.inputs.images import VideoFrame
from jobs.io.disk_plane_stack import DiskPlaneStack
from jobs.outputs import rle
from jobs.outputs.store import MaskRow
from jobs.segmenting.backward_pass import propagate_backward
from jobs.segmenting.cycle_check import check_tracks
from jobs.segmenting.scene_clips import Clip
from jobs.segmenting.tracks import Tracks
from jobs.segmenting.video_context import VideoContext
from stcn_core.acceleration.allocator import trimming_memory
from stcn_core.config import PropagationConfig
from stcn_core.frames import prompted_frames
from stcn_core.models.network import Network
from stcn_core.propagation.bidirectional import num_backward_frames, run_forward_pass
from stcn_core.propagation.plane_stack import PlaneStack
from stcn_core.propagation.results import FrameMasks

Step = tuple[int, list[MaskRow]]  # frames of the clip that are done, and the rows that came with the last
Frames = Iterable[tuple[int, VideoFrame]]  # each with the number of its scene


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
    """Propagate a clip's prompts through its frames.

    Of frames that are gone through in both directions each pass counts half. Raises VideoError.
    """
    start = context.start + clip.first
    tracks.begin_clip(prompted_frames(clip.prompts.labels, start))
    twice, done = num_backward_frames(clip.prompts.labels, config), 0
    with tempfile.TemporaryFile() as file:
        stack = DiskPlaneStack(file)
        for back in propagate_backward(context, start, clip.prompts, model=model, config=config, stack=stack):
            yield back // 2, []
        for done, rows in enumerate(
            _rows_of_frames(clip, frames, context, tracks=tracks, model=model, config=config, stack=stack), start=1
        ):
            yield max(done, (twice + done) // 2), rows
    if cycle_check:
        for _ in check_tracks(context, start, clip.prompts, tracks=tracks, model=model, config=config):
            yield done, []


def _rows_of_frames(
    clip: Clip,
    frames: Frames,
    context: VideoContext,
    *,
    tracks: Tracks,
    model: Network,
    config: PropagationConfig,
    stack: PlaneStack,
) -> Iterator[list[MaskRow]]:
    """The rows of each frame."""
    under_way: deque[tuple[int, VideoFrame]] = deque()  # what is known of frames that are in the network
    prompts = clip.prompts
    try:
        images = _images(frames, under_way)
        results = run_forward_pass(
            model, images, prompts.labels, config=config, stack=stack, size=context.size, removals=prompts.removals
        )
        for result in trimming_memory(results):
            yield _rows(context.video_id, *under_way.popleft(), result=result, tracks=tracks)
    except ValueError as error:  # what propagation refuses
        raise VideoError(str(error)) from error


def _images(frames: Frames, under_way: "deque[tuple[int, VideoFrame]]") -> Iterator[np.ndarray]:
    for scene, frame in frames:
        under_way.append((scene, frame))
        yield frame.image


def _rows(video_id: str, scene: int, frame: VideoFrame, *, result: FrameMasks, tracks: Tracks) -> list[MaskRow]:
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
            "scene": scene,
            **tracks.describe(frame.index, object_id, mask, stability=float(stability)),
        }
        for object_id, mask, score, stability in zip(
            result.object_ids, masks, result.scores, result.stability, strict=True
        )
    ]
