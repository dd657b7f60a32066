"""The masks of an output, read back with doubt: its files may be damaged, or somebody else's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import UserError
from jobs.io import storage
from jobs.outputs import rle, store
from jobs.outputs.store import MaskRow

LEAST = {"frame_index": 0, "object_id": 1, "height": 1, "width": 1}
NEEDED = ("video_id", *LEAST, "counts")  # a value in each row
COLUMNS = (*NEEDED, "frame_name")


@dataclass(frozen=True)
class VideoMasks:
    """The masks of one video, sorted by frame and object, and where they come from."""

    video_id: str
    rows: list[MaskRow]
    file: str = ""
    output: str = ""

    def decode(self, row: MaskRow) -> np.ndarray:
        """A row's mask, boolean (H, W). Raises UserError if it is damaged, or of another size than the video's first.

        Nothing is as large as the row claims before its runs add up to that.
        """
        sizes = [(of["width"], of["height"]) for of in (row, self.rows[0])]
        try:
            if sizes[0] != sizes[1]:
                raise ValueError("it is {}x{}, the video's first mask {}x{}".format(*sizes[0], *sizes[1]))
            return rle.decode(row["counts"], row["height"], row["width"])
        except ValueError as error:
            mask = f"the mask of object {row['object_id']} on frame {row['frame_index']} of video {self.video_id!r}"
            raise damaged(self.file, self.output, f"{mask} cannot be decoded: {error}") from error


def masks_by_video(output: str) -> Iterator[VideoMasks]:
    """All masks of one video after another. Raises UserError if there was no run, or a file is no table of masks."""
    for file in store.mask_files(output):
        content = storage.read(file)
        try:
            table = checked(store.parse(content), COLUMNS)
        except (pa.ArrowException, ValueError, KeyError, OSError) as error:
            raise damaged(file, output, str(error)) from error
        for video_id in pc.unique(table["video_id"]).to_pylist():
            rows = table.filter(pc.equal(table["video_id"], video_id)).to_pylist()
            yield VideoMasks(video_id, rows, file, output)


def checked(table: Any, columns: Sequence[str]) -> Any:
    """These columns, of the published types and with values that are legal. Raises ValueError and ArrowException."""
    if missing := sorted(set(columns) - set(table.column_names)):
        raise ValueError(f"it lacks the columns {missing}")
    table = table.select(columns).cast(pa.schema([store.MASKS.field(name) for name in columns]))
    table.validate(full=True)  # texts are UTF-8
    for name in (name for name in NEEDED if name in columns):
        if table[name].null_count:
            raise ValueError(f"its column {name} has nulls")
    for name in (name for name in LEAST if name in columns):
        if len(table) and (found := pc.min(table[name]).as_py()) < LEAST[name]:
            raise ValueError(f"its column {name} holds {found}; legal: {LEAST[name]} or more")
    return table


def damaged(file: str, output: str, what: str) -> UserError:
    """The error that says so of a file of masks."""
    return UserError(f"{file} is damaged: {what}. `stcn verify {output}` says what to do")
