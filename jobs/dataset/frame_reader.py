"""Frames of an output's videos, read again from where its run read them."""

import gc
import os
from collections.abc import Iterator

import numpy as np

from jobs.dataset.source_video import open_source_video
from jobs.errors import StorageError, VideoError
from jobs.inputs.images import VideoFrame
from jobs.planning.config import SegmentConfig

# A fork copies decoders without their threads, and to free such a copy is to wait for these for ever. So the child
# keeps what its parent has open, and does not collect what its parent had yet to.
_of_parent: list[object] = []
os.register_at_fork(after_in_child=gc.freeze)


class FrameReader:
    """Frames in any order. The video of the last one stays open: what lies ahead in it is decoded on the way.

    Nothing is opened that the run was not allowed to open, or that is over its limits.
    """

    def __init__(self, config: SegmentConfig, short_side: int | None) -> None:
        """config: of the run. short_side: frames are scaled down to it; None: never."""
        self._config, self._short_side = config, short_side
        self._location = ""  # of the video that is open
        self._next = 0  # the first frame that is still to come
        self._frames: Iterator[VideoFrame] = iter(())
        self._pid = os.getpid()

    def read(self, location: str, index: int, wanted: np.ndarray) -> VideoFrame:
        """Frame `index` of a video. Raises VideoError and StorageError.

        wanted: all frames of the video that may be read, ascending.
        """
        if self._pid != os.getpid():
            _of_parent.append(self._frames)
            self._location, self._pid = "", os.getpid()
        if location != self._location or index < self._next:
            self._frames = _frames(location, index, wanted, config=self._config, short_side=self._short_side)
        self._next, self._location = index + 1, ""  # after an error there is nothing to read on from
        for frame in self._frames:
            if frame.index == index:
                self._location = location
                return frame
        raise VideoError(f"ends before frame {index}: it has changed since it was segmented")


def _frames(
    location: str, start: int, wanted: np.ndarray, *, config: SegmentConfig, short_side: int | None
) -> Iterator[VideoFrame]:
    """Those wanted from `start` on. No method: a reader that holds itself would keep its video open until collected."""
    only, end = frozenset(wanted.tolist()), int(wanted[-1]) + 1
    try:
        with open_source_video(location, config, end, start=start, short_side=short_side, only=only) as video:
            yield from video
    except StorageError:
        raise
    except OSError as error:
        raise VideoError(f"cannot be read: {error}") from error
