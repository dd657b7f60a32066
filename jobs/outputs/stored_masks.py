"""The masks of an output, read back with doubt: its files may be damaged, or somebody else's."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import UserError
from jobs.io import storage
from jobs.outputs import rle, store
from jobs.outputs.selection import SELECTED
from jobs.outputs.store import MaskRow

LEAST = {"frame_index": 0, "object_id": 1, "height": 1, "width": 1}
NEEDED = ("video_id", *LEAST, "counts")  # a value in each row
MAY_BE_NULL = ("frame_name", "pts_seconds", "object_name", "score", "stability", "area_change")
OF_A_RUN = tuple(name for name in store.MASKS.names if name not in MAY_BE_NULL)  # what a run gives in each row
COLUMNS = pa.schema([store.MASKS.field(name) for name in (*NEEDED, "frame_name")])
# What rows of a run say beside their masks; who else writes masks may leave it out, or null.
TOLD = ("score", "stability", "area_change", "is_prompt", "prompt_distance", "scene", "trust")
UNREADABLE = (pa.ArrowException, ValueError, KeyError, OSError)  # what reading and `checked` raise


@dataclass(frozen=True, kw_only=True)
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
    for file in (info.location for info in store.mask_files(output)):
        content = storage.read(file)
        try:
            given = store.parse(content)
            table = checked(given)
            for field in (SELECTED.field(name) for name in TOLD if name in given.column_names):
                table = table.append_column(field, given[field.name].cast(field.type))
        except UNREADABLE as error:
            raise damaged(file, output, str(error)) from error
        for video_id in pc.unique(table["video_id"]).to_pylist():
            rows = table.filter(pc.equal(table["video_id"], video_id)).to_pylist()
            yield VideoMasks(video_id=video_id, rows=rows, file=file, output=output)


def checked(table: Any, columns: Any = COLUMNS, needed: Collection[str] = NEEDED) -> Any:
    """These columns of a table of masks, of the published types, with values that are legal. Raises UNREADABLE.

    needed: those with a value in each row.
    """
    if missing := sorted(set(columns.names) - set(table.column_names)):
        raise ValueError(f"it lacks the columns {missing}")
    table = table.select(columns.names).cast(columns)
    table.validate(full=True)  # texts are UTF-8
    for name in columns.names:
        if name in needed and table[name].null_count:
            raise ValueError(f"its column {name} has nulls")
        if len(table) and name in LEAST and (found := pc.min(table[name]).as_py()) < LEAST[name]:
            raise ValueError(f"its column {name} holds {found}; legal: {LEAST[name]} or more")
    return table


def damaged(file: str, output: str, what: str) -> UserError:
    """The error of a file of masks that is not as a run leaves it."""
    return UserError(f"{file} is damaged: {what}. `stcn verify {output}` says what to do")
