"""An index of the frames that have masks, and of where their rows lie: random access without reading the rest.

Shapes: V videos, F frames.
"""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.errors import StorageError
from jobs.io import storage
from jobs.io.range_file import RangeFile
from jobs.ledger.held_masks import HeldMasks
from jobs.outputs import store
from jobs.outputs.store import MaskRow
from jobs.outputs.stored_masks import COLUMNS, UNREADABLE, checked, damaged

KEYS = pa.schema([store.MASKS.field(name) for name in ("video_id", "frame_index")])
ROWS = pa.schema([*COLUMNS, *(store.MASKS.field(name) for name in ("pts_seconds", "object_name", "score"))])


@dataclass(frozen=True, kw_only=True)
class MaskIndex:
    """The frames of an output in the order of its files, in 16 bytes a frame."""

    output: str
    files: list[storage.FileInfo]
    video_ids: list[str]  # V
    file_of: np.ndarray  # V, int32: position of the video's file in `files`
    ends: np.ndarray  # V, int64: number of frames up to and including the video's last
    frame_index: np.ndarray  # F, int32
    first_row: np.ndarray  # F, int64: position of the frame's first row in its file
    row_count: np.ndarray  # F, int32

    def __len__(self) -> int:
        return len(self.frame_index)

    def video_of(self, frame: int) -> int:
        """The position in `video_ids` of a frame's video."""
        return int(np.searchsorted(self.ends, frame, side="right"))

    def frames_of(self, video: int) -> range:
        """The positions of a video's frames."""
        return range(int(self.ends[video - 1]) if video else 0, int(self.ends[video]))


def read_index(output: str, video_ids: Container[str]) -> MaskIndex:
    """Index those of the given videos that an output holds. Reads two columns.

    Raises UserError if there was no run, or if a file is unsorted or not a table of masks.
    """
    masks = HeldMasks(output)
    files: list[storage.FileInfo] = []
    names: dict[str, str] = {}  # video id -> its file
    file_of: list[int] = []
    frames: list[np.ndarray] = []
    for file in masks.files:
        for part, found in masks.read(file, lambda info: list(frames_by_video(MaskFile(info, output)))):
            files.append(part.info)
            for video_id, video_frames in found:
                if video_id not in video_ids or not part.has(video_id):
                    continue
                if other := names.get(video_id):
                    reason = f"it has masks of video {video_id!r}, and so has {other}"
                    raise damaged(part.info.location, output, reason)
                names[video_id] = part.info.location
                file_of.append(len(files) - 1)
                frames.append(video_frames)
    joined = np.concatenate([np.zeros((3, 0), np.int64), *frames], axis=1)
    return MaskIndex(
        output=output, files=files, video_ids=list(names), file_of=np.array(file_of, np.int32),
        ends=np.cumsum([own.shape[1] for own in frames], dtype=np.int64),
        frame_index=joined[0].astype(np.int32), first_row=joined[1].copy(), row_count=joined[2].astype(np.int32),
    )  # fmt: skip


class MaskFile:
    """One mask file, read by row groups.

    Raises UserError for a file that is not a table of masks, and FileNotFoundError for one that is gone.
    """

    def __init__(self, info: storage.FileInfo, output: str) -> None:
        self.location, self.output = info.location, output
        self._bytes = RangeFile(info)
        self._parquet = self._reading(lambda: pq.ParquetFile(self._bytes, pre_buffer=False))
        metadata = self._parquet.metadata
        self._ends = np.cumsum([metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)], dtype=np.int64)
        self._table: Any = None  # the rows in memory
        self._first = 0  # position in the file of the first of them

    def key_tables(self) -> Iterator[Any]:
        """Yield each row group's key columns: video and frame."""
        return (self._group(group, KEYS) for group in range(len(self._ends)))

    def rows(self, first: int, count: int) -> list[MaskRow]:
        """Read `count` consecutive rows."""
        if self._table is None or not self._first <= first <= first + count <= self._first + len(self._table):
            start, stop = np.searchsorted(self._ends, (first, first + count - 1), side="right")
            self._table = pa.concat_tables([self._group(group, ROWS) for group in range(start, stop + 1)])
            self._first = int(self._ends[start - 1]) if start else 0
        return list(self._table.slice(first - self._first, count).to_pylist())

    def _group(self, group: int, columns: Any) -> Any:
        def read() -> Any:
            self._fetch(group, columns.names)
            # Without threads, as in `store.parse`; a process without Arrow's threads can be forked safely.
            return checked(self._parquet.read_row_group(group, columns.names, use_threads=False), columns)

        return self._reading(read)

    def _fetch(self, group: int, names: list[str]) -> None:
        """Fetch columns of a row group in one request: they lie side by side, and the unwanted ones are small."""
        row_group = self._parquet.metadata.row_group(group)
        chunks = [row_group.column(i) for i in range(row_group.num_columns)]
        chunks = [chunk for chunk in chunks if chunk.path_in_schema in names]
        starts = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
        ends = [start + chunk.total_compressed_size for start, chunk in zip(starts, chunks, strict=True)]
        if starts:
            self._bytes.fetch(min(starts), max(ends))

    def _reading(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (FileNotFoundError, StorageError):
            raise
        except UNREADABLE as error:
            raise damaged(self.location, self.output, str(error)) from error


def frames_by_video(file: MaskFile) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each video of a file and its frames (3, F): index, first row, row count.

    Raises UserError if the file is unsorted, and FileNotFoundError if it is gone.
    """
    numbers: dict[str, int] = {}
    videos, indices = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]  # one value a row
    for table in file.key_tables():
        ids = table["video_id"].combine_chunks().dictionary_encode()
        number_of = np.array([numbers.setdefault(name, len(numbers)) for name in ids.dictionary.to_pylist()], np.int64)
        videos.append(number_of[ids.indices.to_numpy()])
        indices.append(table["frame_index"].to_numpy())
    if not numbers:
        return
    video, index = np.concatenate(videos), np.concatenate(indices)
    step, ahead = np.diff(video, prepend=0), np.diff(index, prepend=0)
    if (step < 0).any() or (ahead[step == 0] < 0).any():  # videos are numbered as they come
        raise damaged(file.location, file.output, f"it is not sorted by {' and '.join(KEYS.names)}")
    first = np.flatnonzero((step != 0) | (ahead != 0) | (np.arange(len(index)) == 0))
    frames = np.stack([index[first], first, np.diff(first, append=len(index))])
    yield from zip(numbers, np.split(frames, np.flatnonzero(step[first]), axis=1), strict=True)
