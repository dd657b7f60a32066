"""The backward pass over a clip, from its last prompted frame to its first, for directions "backward" and "both"."""

from collections.abc import Iterator

from jobs.errors import VideoError
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.inputs.videos.reversed_video import ReversedVideo
from jobs.segmenting.video_context import VideoContext, decoded_ahead
from jobs.telemetry.stages import Timed
from stcn_core.config import PropagationConfig
from stcn_core.models.network import Network
from stcn_core.propagation.bidirectional import num_backward_frames, run_backward_pass
from stcn_core.propagation.plane_stack import PlaneStack


def propagate_backward(
    context: VideoContext, start: int, prompts: Prompts, *, model: Network, config: PropagationConfig, stack: PlaneStack
) -> Iterator[int]:
    """Run the backward pass and push each frame's planes onto `stack`. Yield the number of frames done so far.

    Yields 0 for each frame of the preceding scan, and nothing if the direction is "forward". start: the video's frame
    from which the prompts' frames are counted. Raises VideoError.
    """
    frames = num_backward_frames(prompts.labels, config)
    if not frames:
        return
    video = ReversedVideo(
        context.path,
        last=start + frames - 1,
        first=start,
        short_side=config.short_side,
        limits=context.limits,
        decoding=context.decoding,
    )
    for _ in video.scan():
        yield 0
    with decoded_ahead(video) as decoded:
        try:
            images = (frame.pixels for frame in decoded)
            done = run_backward_pass(
                model, images, prompts.labels, config=config, stack=stack, size=context.size, removals=prompts.removals
            )
            for index in Timed("propagate", done):
                yield frames - index
        except ValueError as error:  # propagation rejects frames or prompts
            raise VideoError(str(error)) from error
