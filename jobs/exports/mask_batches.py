"""The masks of an output in batches: about a thousand checked rows of one video at a time."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import UserError
from jobs.io import storage
from jobs.io.storage import FileInfo
from jobs.ledger.held_masks import HeldFile, HeldMasks
from jobs.outputs import rle, store
from jobs.outputs.file_names import own_name
from jobs.outputs.stored_masks import VideoMasks, checked, damaged, open_masks
from jobs.planning.run_record import done_rows

ROWS = 1_000  # of a batch: 0.7 MB of texts at 480p
MAX_BYTES = 2**30  # of a batch; Arrow joins texts of up to twice as many
MAX_FRAME_ROWS = 65_535  # a batch holds all masks of a frame
MAX_PLACES = 10**8  # frames x objects of a video, for formats with a list element for each
SORTING = ("video_id", "frame_index", "object_id", "height", "width")


@dataclass(frozen=True)
class MaskBatch:
    """Rows of one video, sorted by frame and object: all rows of at least one frame."""

    video_id: str
    masks: Any  # pyarrow.Table
    starts: np.ndarray = field(repr=False)  # first row of each frame

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the masks."""
        return int(self.masks["height"][0].as_py()), int(self.masks["width"][0].as_py())

    @property
    def frames(self) -> np.ndarray:
        """The index of each frame."""
        return np.asarray(self.numbers("frame_index")[self.starts])

    @property
    def frame_of_row(self) -> np.ndarray:
        """For each row the position of its frame in `frames`."""
        return np.repeat(np.arange(self.starts.size), np.diff(self.starts, append=len(self.masks)))

    def split(self, frames: int) -> Iterator["MaskBatch"]:
        """Smaller batches, of up to `frames` frames each."""
        bounds = [*self.starts[::frames].tolist(), len(self.masks)]
        return (_batch(self.masks.slice(start, end - start)) for start, end in pairwise(bounds))

    def numbers(self, name: str) -> np.ndarray:
        """A column of integers as int64; 0 for null."""
        column = self.masks[name]
        return np.asarray((pc.fill_null(column, 0) if column.null_count else column).to_numpy(), np.int64)

    def names(self) -> list[str]:
        """A file name for each frame: that of its image, or its number."""
        given = self.masks["frame_name"].take(pa.array(self.starts)).to_pylist()
        return [own_name(name or f"{index:05d}") for name, index in zip(given, self.frames.tolist(), strict=True)]


@dataclass(frozen=True)
class MasksFile:
    """One file of masks of an output."""

    masks: HeldMasks
    held: HeldFile

    @property
    def info(self) -> FileInfo:
        """The file as it was when the export began."""
        return self.held.info

    @property
    def identity(self) -> list[str | int]:
        """Changes with the content. A run uses each name once; a repeated selection uses names again."""
        return [storage.name_of(self.info.location), self.info.num_bytes, self.info.version]

    def videos(self, *columns: str) -> Iterator[tuple[str, Iterator[MaskBatch]]]:
        """The videos with their rows: these columns, and those of SORTING. Raises UserError if the file is damaged."""
        return groupby(self._batches(columns), key=attrgetter("video_id"))

    def damaged(self, what: str) -> UserError:
        """The error for a file that no run has left like this."""
        return damaged(self.info.location, self.masks.output, what)

    def areas(self, batch: MaskBatch) -> np.ndarray:
        """Pixels of each mask, int64, computed from its RLE. Raises UserError for an invalid RLE."""
        counts = batch.masks["counts"].combine_chunks()
        offsets = np.frombuffer(counts.buffers()[1], np.int32)[counts.offset : counts.offset + len(counts) + 1]
        texts = np.frombuffer(counts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        height, width = batch.numbers("height"), batch.numbers("width")
        areas = rle.areas(texts, offsets[:-1] - offsets[0], height * width)
        if areas is None:
            masks = self.decoded(batch)
            areas = np.array([np.count_nonzero(masks.decode(row)) for row in masks.rows])
        return areas

    def decoded(self, batch: MaskBatch) -> VideoMasks:
        """The rows of a batch, ready to decode."""
        return VideoMasks(
            video_id=batch.video_id, rows=batch.masks.to_pylist(), file=self.info.location, output=self.masks.output
        )

    def _batches(self, columns: tuple[str, ...]) -> Iterator[MaskBatch]:
        """Batches end at the end of a video, or between two frames."""
        seen: set[str] = set()
        rest: Any = None  # rows of the latest frame, which the next piece may continue
        for piece in self._pieces(columns):
            video_id = _video(piece)
            if rest is not None and _video(rest) == video_id:
                piece = pa.concat_tables([rest, piece])
            else:
                if rest is not None:
                    yield _batch(rest)
                if video_id in seen:
                    raise self.damaged(f"the rows of video {video_id!r} lie apart")
                seen.add(video_id)
            if reason := _disorder(piece):
                raise self.damaged(f"video {video_id!r}: {reason}")
            frames = piece["frame_index"].to_numpy()
            cut = int(np.searchsorted(frames, frames[-1]))
            if cut:
                yield _batch(piece.slice(0, cut))
            rest = piece.slice(cut)
        if rest is not None:
            yield _batch(rest)

    def _pieces(self, columns: tuple[str, ...]) -> Iterator[Any]:
        """Tables of one video each, checked row by row."""
        wanted = pa.schema([store.MASKS.field(name) for name in dict.fromkeys((*SORTING, *columns))])
        for part, opened in self.masks.read(self.held, lambda info: open_masks(info, self.masks.output)):
            try:
                for batch in opened.iter_batches(ROWS, columns=wanted.names, use_threads=False):
                    if batch.nbytes > MAX_BYTES:
                        raise ValueError(f"{len(batch)} of its rows are {batch.nbytes:,} bytes")
                    table = checked(pa.Table.from_batches([batch]), wanted)
                    if "box" in wanted.names:
                        _check_boxes(table["box"])
                    ends = pc.run_end_encode(table["video_id"].combine_chunks()).run_ends.to_pylist()
                    pieces = (table.slice(start, end - start) for start, end in pairwise([0, *ends]))
                    yield from (piece for piece in pieces if part.has(_video(piece)))
            except (pa.ArrowException, ValueError, KeyError, OSError) as error:
                raise self.damaged(str(error)) from error


def masks_files(output: str, only: Collection[str] | None = None) -> list[MasksFile]:
    """The files of masks of an output. Raises UserError if there was no run.

    only: ids of the videos whose masks are asked for; None, or none: all. Raises UserError for an id without masks.
    """
    masks = HeldMasks(output, only or None)
    files = [MasksFile(masks, file) for file in masks.files]
    if not only:
        return files
    holding = {row.masks_file for row in done_rows(output, only).values()}
    is_known = masks.is_listed and None not in holding  # whether the rows alone say which of the files these are
    return [file for file in files if not is_known or storage.name_of(file.info.location) in holding]


@dataclass(frozen=True)
class VideoSummary:
    """What a format needs to know of a video before the first batch."""

    objects: np.ndarray  # ids, sorted
    last_frame: int


@lru_cache(1)
def video_summaries(file: MasksFile) -> dict[str, VideoSummary]:
    """The summary of each video of a file, from the columns of SORTING alone."""
    summaries = {}
    for video_id, batches in file.videos():
        ids, last = np.zeros(0, np.int64), 0
        for batch in batches:
            ids, last = np.union1d(ids, batch.numbers("object_id")), int(batch.frames[-1])
        if (last + 1) * ids.size > MAX_PLACES:
            raise file.damaged(f"video {video_id!r} has {ids.size} objects up to frame {last}")
        summaries[video_id] = VideoSummary(ids, last)
    return summaries


def _check_boxes(column: Any) -> None:
    numbers = pc.list_flatten(column)
    if column.null_count or numbers.null_count or (len(numbers) and pc.min(numbers).as_py() < 0):
        raise ValueError("its column box has nulls, or numbers under 0")


def _video(table: Any) -> str:
    return str(table["video_id"][0].as_py())


def _batch(table: Any) -> MaskBatch:
    table = table.combine_chunks()
    frames = table["frame_index"].to_numpy()
    return MaskBatch(_video(table), table, np.flatnonzero(np.diff(frames, prepend=-1)))


def _disorder(table: Any) -> str | None:
    """Why a run cannot have written these rows of one video; None if it can."""
    places = (table["frame_index"].to_numpy().astype(np.int64) << 32) + table["object_id"].to_numpy()
    if (np.diff(places) <= 0).any():
        return "its rows are not sorted by frame and object"
    if np.count_nonzero(places >> 32 == places[-1] >> 32) > MAX_FRAME_ROWS:
        return f"a frame has over {MAX_FRAME_ROWS:,} masks"
    sizes = [pc.min_max(table[name]).as_py() for name in ("height", "width")]
    return None if all(size["min"] == size["max"] for size in sizes) else "its masks are not all of one size"
