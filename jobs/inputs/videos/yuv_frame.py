"""A decoded frame as its planes of luma and chroma, packed for one copy to a GPU."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from jobs.errors import VideoError
from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.orientation import orientation_of
from stcn_core.yuv import Colours, YuvFrame, packed_bytes, split_planes

if TYPE_CHECKING:
    from torch import Tensor

PLANAR, SEMI_PLANAR = ("yuv420p", "yuvj420p"), "nv12"  # FFmpeg's names of 4:2:0 in 8 bits
LARGEST = 4096 * 2304  # pixels of 4K; larger frames are scaled down on the host, where 16 of them would take 300 MB
FULL_RANGE = 2  # FFmpeg's AVCOL_RANGE_JPEG
BT601 = (0.299, 0.114)  # also where the stream does not say, as in FFmpeg's scaler
# Shares of red and blue in luma, by FFmpeg's AVColorSpace: those that its scaler can convert.
SHARES = {
    0: BT601, 1: (0.2126, 0.0722), 2: BT601, 4: (0.30, 0.11), 5: BT601, 6: BT601, 7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}  # fmt: skip


def is_planar(pixel_format: str | None, width: int, height: int) -> bool:
    """Whether a stream's frames are handed on as planes: those of 4:2:0 in 8 bits, up to 4K."""
    return pixel_format in (*PLANAR, SEMI_PLANAR) and width * height <= LARGEST


def to_planes(
    index: int,
    frame: av.VideoFrame,
    reformatter: VideoReformatter,
    *,
    allocate: "Callable[[int], np.ndarray | Tensor]",
) -> VideoFrame:
    """Frame `index` as a `YuvFrame` of its full size. allocate: gives memory of so many bytes.

    A frame of another pixel format than its stream's is converted to 4:2:0. Raises VideoError.
    """
    if frame.format.name not in (*PLANAR, SEMI_PLANAR):
        try:
            frame = reformatter.reformat(frame, format=PLANAR[0])
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"frame {index}, {frame.format.name}, cannot be converted to 4:2:0: {error}") from error
    if (shares := SHARES.get(frame.colorspace)) is None:
        raise VideoError(
            f"frame {index}, {frame.format.name}, cannot be converted to RGB: its matrix is number {frame.colorspace} "
            f"of ITU-T H.273; legal: {', '.join(map(str, SHARES))}"
        )
    packed = allocate(packed_bytes(frame.height, frame.width))
    _pack(frame, np.asarray(packed))
    orientation = orientation_of(frame)
    is_full_range = frame.color_range == FULL_RANGE or frame.format.name == "yuvj420p"
    pixels = YuvFrame(
        packed=packed,
        height=frame.height,
        width=frame.width,
        colours=Colours(*shares, is_full_range),
        is_transposed=orientation.is_transposed,
        is_mirrored_horizontally=orientation.is_mirrored_horizontally,
        is_mirrored_vertically=orientation.is_mirrored_vertically,
    )
    height, width = pixels.size
    return VideoFrame(index=index, name=None, pts_seconds=frame.time, pixels=pixels, height=height, width=width)


def _pack(frame: av.VideoFrame, packed: np.ndarray) -> None:
    """Copy a frame's planes to memory, one after another, without the margins of their rows."""
    y, u, v = split_planes(packed, frame.height, frame.width)
    rows, columns = u.shape
    y[...] = _rows(frame.planes[0])[: frame.height, : frame.width]
    if frame.format.name == SEMI_PLANAR:
        both = _rows(frame.planes[1])[:rows, : 2 * columns].reshape(rows, columns, 2)
        u[...], v[...] = both[..., 0], both[..., 1]
    else:
        u[...], v[...] = (_rows(plane)[:rows, :columns] for plane in frame.planes[1:])


def _rows(plane: "av.video.plane.VideoPlane") -> np.ndarray:
    """A plane's rows, with their margins. Some decoders write them from the bottom up."""
    rows: np.ndarray = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, abs(plane.line_size))
    return rows[::-1] if plane.line_size < 0 else rows
