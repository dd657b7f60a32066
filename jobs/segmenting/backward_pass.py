"""The pass over a video from its last prompted frame back to its first, where masks go backward or both ways."""

from collections.abc import Iterator

from jobs.concurrency.prefetch import Prefetch
from jobs.errors import VideoError
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.inputs.reversed_video import ReversedVideo
from jobs.segmenting.video_context import PREFETCH_FRAMES, VideoContext
from stcn_core.acceleration.allocator import trimming_memory
from stcn_core.config import PropagationConfig
from stcn_core.models.network import Network
from stcn_core.propagation.bidirectional import num_backward_frames, run_backward_pass
from stcn_core.propagation.plane_stack import PlaneStack


def propagate_backward(
    context: VideoContext, start: int, prompts: Prompts, *, model: Network, config: PropagationConfig, stack: PlaneStack
) -> Iterator[int]:
    """Leave the planes of frames on a stack; yields how many frames have theirs, also while there is none yet.

    start: the video's frame that prompts count from. Raises VideoError.
    """
    frames = num_backward_frames(prompts.labels, config)
    if not frames:
        return
    video = ReversedVideo(
        context.path, last=start + frames - 1, first=start, short_side=config.short_side, limits=context.limits
    )
    for _ in video.look():
        yield 0
    with Prefetch(video, PREFETCH_FRAMES) as ahead:
        try:
            images = (frame.image for frame in ahead)
            done = run_backward_pass(
                model, images, prompts.labels, config=config, stack=stack, size=context.size, removals=prompts.removals
            )
            for index in trimming_memory(done):
                yield frames - index
        except ValueError as error:  # what propagation refuses
            raise VideoError(str(error)) from error
