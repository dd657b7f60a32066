"""The cycle check: propagates each object's last mask back to its prompt over a few frames, and compares the two."""

from collections.abc import Iterator

from jobs.errors import VideoError
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.inputs.videos.reversed_video import ReversedVideo
from jobs.outputs import rle
from jobs.segmenting.tracks import Tracks
from jobs.segmenting.video_context import VideoContext, decoded_ahead
from jobs.telemetry.stages import Timed
from stcn_core.config import PropagationConfig
from stcn_core.frames import prompted_frames
from stcn_core.models.network import Network
from stcn_core.propagation.cycle import TrackEnds, cycle_frames, cycle_ious


def check_tracks(
    context: VideoContext, start: int, prompts: Prompts, *, tracks: Tracks, model: Network, config: PropagationConfig
) -> Iterator[None]:
    """Run the cycle check of a clip, and add its results to `tracks`. Yields at each step, to report progress.

    start: the video's frame at which the clip begins. Raises VideoError.
    """
    ends = _track_ends(context, start, prompts, tracks=tracks)
    chosen = cycle_frames(ends, config.memory_every)
    if not chosen:
        return
    wanted = {start + frame for frame in chosen}
    video = ReversedVideo(
        context.path,
        last=max(wanted),
        first=min(wanted),
        short_side=config.short_side,
        limits=context.limits,
        decoding=context.decoding,
    )
    for _ in video.scan():
        yield
    with decoded_ahead(video) as decoded:
        frames = ((frame.index - start, frame.pixels) for frame in decoded if frame.index in wanted)
        try:
            for _, ious in Timed("propagate", cycle_ious(model, frames, ends, config=config, size=context.size)):
                tracks.add_cycles(ious)
                yield
        except ValueError as error:  # propagation rejects frames or prompts
            raise VideoError(str(error)) from error


def _track_ends(context: VideoContext, start: int, prompts: Prompts, *, tracks: Tracks) -> dict[int, TrackEnds]:
    """Return each object's last mask, and its first prompt after its latest removal before that mask."""
    ends: dict[int, TrackEnds] = {}
    for object_id, frames in prompted_frames(prompts.labels).items():
        last_frame, counts = tracks.last_masks[object_id]
        last_frame -= start
        removed = [frame for frame, ids in prompts.removals.items() if object_id in ids and frame <= last_frame]
        first_frame = next(frame for frame in frames if frame >= max(removed, default=0))
        last = rle.decode(counts, *context.size)
        ends[object_id] = TrackEnds(first_frame, prompts.labels[first_frame] == object_id, last_frame, last)
    return ends
