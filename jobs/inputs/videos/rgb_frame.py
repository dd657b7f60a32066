"""A decoded frame as an upright RGB image."""

from typing import Any

import av
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter

from jobs.errors import VideoError
from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.orientation import Orientation, read_matrix
from stcn_core.frames import scaled_size


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Return the steps that make a frame upright."""
    data: Any = frame.side_data
    return read_matrix(bytes(data[Type.DISPLAYMATRIX])) if Type.DISPLAYMATRIX in data else Orientation()


def to_rgb(index: int, frame: av.VideoFrame, reformatter: VideoReformatter, *, short_side: int | None) -> VideoFrame:
    """Convert frame `index` to upright RGB, scaled down to `short_side`. Raises VideoError."""
    rows, columns = scaled_size(frame.height, frame.width, short_side)
    try:
        # FFmpeg's bilinear filter is a triangle as wide as the scale, so that fine patterns do not alias.
        rgb = reformatter.reformat(frame, columns, rows, "rgb24", interpolation="BILINEAR").to_ndarray()
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"frame {index}, {frame.format.name}, cannot be converted to RGB: {error}") from error
    orientation = orientation_of(frame)
    upright, (height, width) = orientation.apply(rgb), orientation.upright(frame.height, frame.width)
    return VideoFrame(index=index, name=None, pts_seconds=frame.time, image=upright, height=height, width=width)
