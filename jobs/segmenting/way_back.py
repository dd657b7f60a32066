"""The pass over a video from its last prompted frame back to its first, where masks go backward or both ways."""

from collections.abc import Iterator

from jobs.ahead import Ahead
from jobs.errors import VideoError
from jobs.inputs.backward import Backward
from jobs.inputs.prompts.gathered import Prompts
from jobs.segmenting.footage import FRAMES_AHEAD, Footage
from stcn_core.allocator import giving_back_freed_memory
from stcn_core.both_ways import frames_to_go_back, keep_backward
from stcn_core.config import PropagationConfig
from stcn_core.kept import Stack
from stcn_core.network import Network


def go_back(
    footage: Footage, start: int, prompts: Prompts, model: Network, config: PropagationConfig, kept: Stack
) -> Iterator[int]:
    """Leave the planes of frames on a stack; yields how many frames have theirs, also while there is none yet.

    start: the video's frame that prompts count from. Raises VideoError.
    """
    frames = frames_to_go_back(prompts.labels, config)
    if not frames:
        return
    video = Backward(footage.path, start + frames - 1, start, short_side=config.short_side, limits=footage.limits)
    for _ in video.look():
        yield 0
    with Ahead(video, FRAMES_AHEAD) as ahead:
        try:
            images = (frame.image for frame in ahead)
            done = keep_backward(model, images, prompts.labels, config, kept, footage.size, prompts.removals)
            for index in giving_back_freed_memory(done):
                yield frames - index
        except ValueError as error:  # what propagation refuses
            raise VideoError(str(error)) from error
