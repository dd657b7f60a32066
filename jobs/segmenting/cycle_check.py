"""Carries each object's last mask back to its prompt over a few of the clip's frames, and notes how it comes back."""

from collections.abc import Iterator

from jobs.ahead import Ahead
from jobs.errors import VideoError
from jobs.inputs.backward import Backward
from jobs.inputs.prompts.gathered import Prompts
from jobs.outputs import rle
from jobs.segmenting.footage import FRAMES_AHEAD, Footage
from jobs.segmenting.tracks import Tracks
from stcn_core.config import PropagationConfig
from stcn_core.cycle import Ends, cycle_ious, frames_of_a_cycle
from stcn_core.frames import prompted_frames
from stcn_core.network import Network


def check_tracks(
    footage: Footage, start: int, prompts: Prompts, tracks: Tracks, model: Network, config: PropagationConfig
) -> Iterator[None]:
    """Check the tracks of a clip that begins at the video's frame `start`; yields now and then. Raises VideoError."""
    ends = _ends(footage, start, prompts, tracks)
    chosen = frames_of_a_cycle(ends, config.memory_every)
    if not chosen:
        return
    wanted = {start + frame for frame in chosen}
    video = Backward(footage.path, max(wanted), min(wanted), short_side=config.short_side, limits=footage.limits)
    for _ in video.look():
        yield
    with Ahead(video, FRAMES_AHEAD) as decoded:
        frames = ((frame.index - start, frame.image) for frame in decoded if frame.index in wanted)
        try:
            for _, ious in cycle_ious(model, frames, ends, config, footage.size):
                tracks.note_cycles(ious)
                yield
        except ValueError as error:  # what propagation refuses
            raise VideoError(str(error)) from error


def _ends(footage: Footage, start: int, prompts: Prompts, tracks: Tracks) -> dict[int, Ends]:
    """Where each object was seen last, and its first prompt since it was removed last before that."""
    ends: dict[int, Ends] = {}
    for object_id, frames in prompted_frames(prompts.labels).items():
        last_frame, counts = tracks.last_masks[object_id]
        last_frame -= start
        removed = [frame for frame, ids in prompts.removals.items() if object_id in ids and frame <= last_frame]
        first_frame = next(frame for frame in frames if frame >= max(removed, default=0))
        last = rle.decode(counts, *footage.size)
        ends[object_id] = Ends(first_frame, prompts.labels[first_frame] == object_id, last_frame, last)
    return ends
