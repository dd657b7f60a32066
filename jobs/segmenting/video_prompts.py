"""A video's prompts, refuted where the claims of its container refute them, before a frame is decoded."""

from collections.abc import Iterator
from pathlib import Path

from jobs.errors import PromptError, VideoError
from jobs.inputs.prompts.load import load_prompts
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.inputs.prompts.window import prompts_in_window
from jobs.inputs.videos.decoding import Decoding
from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.video import Video
from jobs.segmenting.work_item import WorkItem


def open_video(path: Path, item: WorkItem, decoding: Decoding | None = None) -> Video:
    """The window of a video that is segmented, within the limits of its options."""
    short_side, limits = item.options.propagation.short_side, item.options.requirements.limits
    return Video(
        path,
        start=item.entry.start,
        end=item.entry.end,
        short_side=short_side,
        limits=limits,
        decoding=decoding or Decoding(),
    )


def read_prompts(
    path: Path, item: WorkItem, video: Video, *, decoded: Iterator[VideoFrame]
) -> tuple[Prompts, VideoFrame]:
    """The prompts of the window, and its first frame. Raises PromptError and VideoError.

    The container's claim of a size can be wrong, since the size may change in mid-stream; then the first frame's size
    decides.
    """
    entry, first, claimed = item.entry, None, video.size_claimed
    try:
        prompts = _load(path, item, video, size=claimed) if claimed else None
    except PromptError:
        first = _first_frame(decoded, video, entry.start)
        if (first.height, first.width) == claimed:
            raise
        prompts = None
    first = first or _first_frame(decoded, video, entry.start)
    prompts = prompts or _load(path, item, video, size=(first.height, first.width))
    return prompts_in_window(prompts, entry, height=first.height, width=first.width), first


def check_inputs(video_path: Path, prompts_path: Path, item: WorkItem) -> None:
    """Check a video's header and all of its prompts; no frame is decoded. Raises PromptError and VideoError.

    Where the size changes in mid-stream, prompts of a later part are refused here that `read_prompts` accepts.
    """
    with open_video(video_path, item) as video:
        size = video.size_claimed
        prompts = _load(prompts_path, item, video, size=size)
        height, width = size or next(iter(prompts.labels.values())).shape
        prompts_in_window(prompts, item.entry, height=height, width=width)


def _load(path: Path, item: WorkItem, video: Video, *, size: tuple[int, int] | None) -> Prompts:
    frames, leniency = video.frames_claimed, item.options.leniency
    prompts = load_prompts(path, item.entry, video.names, size=size, frames=frames, leniency=leniency)
    for frame in prompts.labels:
        if video.is_replaced(frame):
            name = (video.names or [])[frame]
            raise PromptError(
                f"frame {frame} is prompted, and its image {name} cannot be used, so that another stands in for it: "
                "the mask would be of the wrong image. Mend the image, or take the prompt out"
            )
    return prompts


def _first_frame(decoded: Iterator[VideoFrame], video: Video, start: int) -> VideoFrame:
    frame = next(decoded, None)
    if frame is None:
        claim = "nothing" if video.frames_claimed is None else f"{video.frames_claimed} frames"
        raise VideoError(f"no frame could be decoded from start={start} on; the file claims {claim}")
    return frame
