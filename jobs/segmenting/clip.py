"""One clip from frames to rows of masks: backward where that is asked for, forward, and the check of its tracks."""

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from jobs.errors import VideoError
from jobs.inputs.images import VideoFrame
from jobs.io.planes_on_disk import PlanesOnDisk
from jobs.outputs import rle
from jobs.outputs.store import MaskRow
from jobs.segmenting.clips import Clip
from jobs.segmenting.cycle_check import check_tracks
from jobs.segmenting.footage import Footage
from jobs.segmenting.tracks import Tracks
from jobs.segmenting.way_back import go_back
from stcn_core.allocator import giving_back_freed_memory
from stcn_core.both_ways import frames_to_go_back, propagate_after
from stcn_core.config import PropagationConfig
from stcn_core.frames import prompted_frames
from stcn_core.kept import Stack
from stcn_core.network import Network
from stcn_core.results import FrameMasks

Step = tuple[int, list[MaskRow]]  # frames of the clip that are done, and the rows that came with the last
Frames = Iterable[tuple[int, VideoFrame]]  # each with the number of its scene


def segment_clip(
    clip: Clip, frames: Frames, footage: Footage, tracks: Tracks, model: Network, config: PropagationConfig,
    cycle_check: bool,
) -> Iterator[Step]:  # fmt: skip
    """Propagate a clip's prompts through its frames.

    Of frames that are gone through in both directions each pass counts half. Raises VideoError.
    """
    start = footage.start + clip.first
    tracks.begin_clip(prompted_frames(clip.prompts.labels, start))
    twice, done = frames_to_go_back(clip.prompts.labels, config), 0
    with tempfile.TemporaryFile() as file:
        kept = PlanesOnDisk(file)
        for back in go_back(footage, start, clip.prompts, model, config, kept):
            yield back // 2, []
        for done, rows in enumerate(_rows_of_frames(clip, frames, footage, tracks, model, config, kept), start=1):
            yield max(done, (twice + done) // 2), rows
    if cycle_check:
        for _ in check_tracks(footage, start, clip.prompts, tracks, model, config):
            yield done, []


def _rows_of_frames(
    clip: Clip, frames: Frames, footage: Footage, tracks: Tracks, model: Network, config: PropagationConfig,
    kept: Stack,
) -> Iterator[list[MaskRow]]:  # fmt: skip
    """The rows of each frame."""
    under_way: deque[tuple[int, VideoFrame]] = deque()  # what is known of frames that are in the network
    prompts = clip.prompts
    try:
        images = _images(frames, under_way)
        results = propagate_after(
            model, images, prompts.labels, config, kept, size=footage.size, removals=prompts.removals
        )
        for result in giving_back_freed_memory(results):
            yield _rows(footage.video_id, *under_way.popleft(), result, tracks)
    except ValueError as error:  # what propagation refuses
        raise VideoError(str(error)) from error


def _images(frames: Frames, under_way: "deque[tuple[int, VideoFrame]]") -> Iterator[np.ndarray]:
    for scene, frame in frames:
        under_way.append((scene, frame))
        yield frame.image


def _rows(video_id: str, scene: int, frame: VideoFrame, result: FrameMasks, tracks: Tracks) -> list[MaskRow]:
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
            **tracks.describe(frame.index, object_id, mask, float(stability)),
        }
        for object_id, mask, score, stability in zip(
            result.object_ids, masks, result.scores, result.stability, strict=True
        )
    ]
