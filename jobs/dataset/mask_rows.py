"""The rows of single frames, found by an index, also where a run has merged or replaced files since it was made.

Shapes: F frames.
"""

from collections.abc import Iterable

import numpy as np

from jobs.dataset.mask_index import MaskFile, MaskIndex, frames_by_video
from jobs.errors import UserError
from jobs.io.storage import FileInfo
from jobs.ledger.held_masks import HeldFile, HeldMasks
from jobs.outputs.store import MaskRow
from jobs.outputs.stored_masks import VideoMasks, damaged


class MaskRows:
    """Reads the rows of frames, and keeps the latest row groups: frames in order read each row group once."""

    def __init__(self, index: MaskIndex) -> None:
        self._index = index
        self._file: MaskFile | None = None
        self._frames: dict[str, np.ndarray] | None = None  # of each video in that file; None: as the index has them
        self._moved: dict[str, FileInfo] = {}  # video id -> its file, where that is another than the index has

    def masks(self, frame: int) -> VideoMasks:
        """Read the masks of one frame. Raises UserError if they are damaged or gone."""
        index, video = self._index, self._index.video_of(frame)
        video_id, known = index.video_ids[video], index.files[index.file_of[video]]
        info = self._moved.get(video_id, known)
        try:
            rows = self._rows(info, video, frame)
        except FileNotFoundError:
            self._file = None
            info, rows = self._look_again(info, video, frame)
        if any((row["video_id"], row["frame_index"]) != (video_id, index.frame_index[frame]) for row in rows):
            raise damaged(info.location, index.output, "its rows have changed since it was opened first")
        return VideoMasks(video_id=video_id, rows=rows, file=info.location, output=index.output)

    def _rows(self, info: FileInfo, video: int, frame: int) -> list[MaskRow]:
        """Raises FileNotFoundError if the file is gone, and UserError if it has other frames of the video."""
        index = self._index
        if self._file is None or self._file.location != info.location:
            file, frames = MaskFile(info, index.output), None
            if info != index.files[index.file_of[video]]:
                frames = dict(frames_by_video(file))
            self._file, self._frames = file, frames
        first = int(index.first_row[frame])
        if self._frames is not None:
            first += self._shift(self._frames.get(index.video_ids[video]), video)
        return self._file.rows(first, int(index.row_count[frame]))

    def _shift(self, found: np.ndarray | None, video: int) -> int:
        """How many rows later a video begins than in the file that the index knows: its rows lie together in every one.

        found: its frames (3, F) as `frames_by_video` has them.
        """
        index, own = self._index, self._index.frames_of(video)
        expected = index.frame_index[own.start : own.stop], index.row_count[own.start : own.stop]
        if found is None or not (np.array_equal(found[0], expected[0]) and np.array_equal(found[2], expected[1])):
            raise UserError(
                f"the masks of video {index.video_ids[video]!r} were made anew since {index.output} was opened; open "
                "it again"
            )
        return int(found[1, 0]) - int(index.first_row[own.start])

    def _look_again(self, info: FileInfo, video: int, frame: int) -> tuple[FileInfo, list[MaskRow]]:
        """Ask the ledger which files hold the masks of all videos by now, so that one answer serves for all of them."""
        index, video_id = self._index, self._index.video_ids[video]
        masks = HeldMasks(index.output)
        self._moved = dict(_changed(index, masks.files))
        file = HeldFile(self._moved.get(video_id, info), frozenset([video_id]))
        for part, rows in masks.read(file, lambda info: self._rows(info, video, frame)):
            return part.info, rows
        raise masks.gone(info)


def _changed(index: MaskIndex, files: Iterable[HeldFile]) -> Iterable[tuple[str, FileInfo]]:
    """The videos of an index that other files hold than it says."""
    known = dict(zip(index.video_ids, index.file_of.tolist(), strict=True))
    for file in files:
        for video_id in file.video_ids or ():
            if video_id in known and file.info != index.files[known[video_id]]:
                yield video_id, file.info
