"""A decoded frame as an upright RGB image."""

import av
from av.video.reformatter import VideoReformatter

from jobs.errors import VideoError
from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.orientation import orientation_of
from stcn_core.frames import scaled_size


def to_rgb(index: int, frame: av.VideoFrame, reformatter: VideoReformatter, *, short_side: int | None) -> VideoFrame:
    """Convert frame `index` to upright RGB, scaled down to `short_side`. Raises VideoError."""
    rows, columns = scaled_size(frame.height, frame.width, short_side)
    try:
        # FFmpeg's bilinear filter is a triangle as wide as the scale, so that fine patterns do not alias.
        # One thread: more take 5 times as much of a CPU for a frame of 480p, and wait for each other where it is busy.
        rgb = reformatter.reformat(frame, columns, rows, "rgb24", interpolation="BILINEAR", threads=1).to_ndarray()
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"frame {index}, {frame.format.name}, cannot be converted to RGB: {error}") from error
    orientation = orientation_of(frame)
    upright, (height, width) = orientation.apply(rgb), orientation.upright(frame.height, frame.width)
    return VideoFrame(index=index, name=None, pts_seconds=frame.time, pixels=upright, height=height, width=width)
