"""Masks of an output, validated as they are read: files may be damaged, or written by other tools."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.errors import StorageError, UserError
from jobs.io import scratch, storage
from jobs.io.storage import FileInfo
from jobs.outputs import rle, store
from jobs.outputs.store import MaskRow

MINIMA = {"frame_index": 0, "object_id": 1, "height": 1, "width": 1}
REQUIRED = ("video_id", *MINIMA, "counts")  # no nulls
NULLABLE = ("frame_name", "pts_seconds", "object_name", "score", "stability", "area_change")
RUN_REQUIRED = tuple(name for name in store.MASKS.names if name not in NULLABLE)  # no nulls in a run's own files
COLUMNS = pa.schema([store.MASKS.field(name) for name in (*REQUIRED, "frame_name")])
# Columns that a run adds to its masks. Files of other tools may lack them or hold nulls.
EXTRA_COLUMNS = ("score", "stability", "area_change", "is_prompt", "prompt_distance", "scene", "trust")
UNREADABLE = (pa.ArrowException, ValueError, KeyError, OSError)  # raised by reading, and by `checked`


@dataclass(frozen=True, kw_only=True)
class VideoMasks:
    """The masks of one video, sorted by frame and object, and the file that holds them."""

    video_id: str
    rows: list[MaskRow]
    file: str = ""
    output: str = ""

    def decode(self, row: MaskRow) -> np.ndarray:
        """Decode a row's mask: boolean (H, W). Raises UserError for damage, or a size other than the first row's.

        Memory for the claimed size is allocated only after the runs are found to add up to it.
        """
        sizes = [(of["width"], of["height"]) for of in (row, self.rows[0])]
        try:
            if sizes[0] != sizes[1]:
                raise ValueError("it is {}x{}, the video's first mask {}x{}".format(*sizes[0], *sizes[1]))
            return rle.decode(row["counts"], row["height"], row["width"])
        except ValueError as error:
            mask = f"the mask of object {row['object_id']} on frame {row['frame_index']} of video {self.video_id!r}"
            raise damaged(self.file, self.output, f"{mask} cannot be decoded: {error}") from error


def open_masks(info: FileInfo, output: str) -> Any:
    """Open a file of masks as a pyarrow.parquet.ParquetFile, which can be read though a run removes the file.

    Raises FileNotFoundError if it is gone, and UserError for a file that is no Parquet.
    """
    with scratch.temporary() as folder:  # of a copy from a store; open files need no names
        try:
            return pq.ParquetFile(pa.OSFile(str(storage.download(info.location, Path(folder)))))
        except (FileNotFoundError, StorageError):
            raise
        except UNREADABLE as error:
            raise damaged(info.location, output, str(error)) from error


def checked(table: Any, columns: Any = COLUMNS, required: Collection[str] = REQUIRED) -> Any:
    """Select columns of a table of masks, cast to the published types, and check their values. Raises UNREADABLE.

    required: names of columns that may hold no nulls.
    """
    if missing := sorted(set(columns.names) - set(table.column_names)):
        raise ValueError(f"it lacks the columns {missing}")
    table = table.select(columns.names).cast(columns)
    table.validate(full=True)  # texts are UTF-8
    for name in columns.names:
        if name in required and table[name].null_count:
            raise ValueError(f"its column {name} has nulls")
        if len(table) and name in MINIMA and (found := pc.min(table[name]).as_py()) < MINIMA[name]:
            raise ValueError(f"its column {name} holds {found}; legal: {MINIMA[name]} or more")
    return table


def damaged(file: str, output: str, what: str) -> UserError:
    """Build the error for a mask file that no run can have written."""
    return UserError(f"{file} is damaged: {what}. `stcn verify {output}` says what to do")
