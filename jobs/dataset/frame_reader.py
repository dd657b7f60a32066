"""Frames of an output's videos, read again from where its run read them."""

import os
from collections.abc import Generator, Iterator
from functools import cache
from weakref import WeakSet

import numpy as np

from jobs.dataset.source_video import SourceVideo, open_source_video
from jobs.errors import StorageError, VideoError
from jobs.inputs.videos.images import VideoFrame

Frames = Generator[VideoFrame, None, None]

# A fork copies decoders without their threads, and to free such a copy is to wait for these threads for ever. So a
# child holds references to what its parent's readers had open: none of it is freed, not even what the parent had
# dropped in a cycle that was not collected yet.
_open: WeakSet[Frames] = WeakSet()  # of this process and, in a fork, of its parents
_of_parents: list[Frames] = []


class FrameReader:
    """Frames in any order. The video of the last one stays open: what lies ahead in it is decoded on the way.

    Nothing is opened that the run was not allowed to open, or that is over its limits.
    """

    def __init__(self, short_side: int | None) -> None:
        """short_side: frames are scaled down to it; None: never."""
        self._short_side = short_side
        self._open: tuple[str, int, int] | None = (
            None  # location, first and last wanted frame of the video that is open
        )
        self._next = 0  # the first frame that is still to come
        self._frames: Iterator[VideoFrame] = iter(())
        self._pid = os.getpid()

    def read(self, source: SourceVideo, index: int, wanted: np.ndarray) -> VideoFrame:
        """Frame `index` of a video. Raises VideoError and StorageError.

        wanted: all frames of the video that may be read, ascending.
        """
        if self._pid != os.getpid():
            self._open, self._pid = None, os.getpid()
        video = source.location, int(wanted[0]), int(wanted[-1])  # a file can be two videos, with a window each
        if video != self._open or index < self._next:
            _hold_in_forks()
            frames = _frames(source, index, wanted, short_side=self._short_side)
            _open.add(frames)
            self._frames = frames
        self._next, self._open = index + 1, None  # after an error there is nothing to read on from
        for frame in self._frames:
            if frame.index == index:
                self._open = video
                return frame
        raise VideoError(f"ends before frame {index}: it has changed since it was segmented")


@cache
def _hold_in_forks() -> None:
    """Called before the first video is opened, so that a process that only imports this is left as it is."""
    os.register_at_fork(after_in_child=lambda: _of_parents.extend(_open))


def _frames(source: SourceVideo, start: int, wanted: np.ndarray, *, short_side: int | None) -> Frames:
    """Those wanted from `start` on. No method: a reader that holds itself would keep its video open until collected."""
    only, end = frozenset(wanted.tolist()), int(wanted[-1]) + 1
    try:
        with open_source_video(source, end, start=start, short_side=short_side, only=only) as video:
            yield from video
    except StorageError:
        raise
    except OSError as error:
        raise VideoError(f"cannot be read: {error}") from error
