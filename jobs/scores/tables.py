"""Scores as tables: a row an object and a row a frame of it, and the Parquet files of both."""

import dataclasses
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.errors import UserError
from jobs.io import storage
from jobs.outputs import store
from jobs.outputs.selection import SELECTED
from jobs.outputs.stored_masks import EXTRA_COLUMNS
from jobs.scores.rules import PROTOCOLS, VOID_RULES

VERSION = "1"
OBJECTS_FILE, FRAMES_FILE = "objects.parquet", "frames.parquet"


@dataclass(frozen=True, kw_only=True)
class ObjectScore:
    """Scores of one object over the frames that count."""

    video_id: str
    object_id: int
    frames: int
    missing: int  # frames without a row in the output; an empty mask stands in for them
    prompts: int  # frames on which the object was prompted, so that its mask was given
    j_mean: float
    j_recall: float
    j_decay: float
    f_mean: float
    f_recall: float
    f_decay: float
    copy_j_mean: float  # of a copy of the object's first true mask: what doing nothing would score
    copy_f_mean: float
    protocol: str
    void: str

    @property
    def mean(self) -> float:
        """J&F."""
        return (self.j_mean + self.f_mean) / 2

    @property
    def copy_mean(self) -> float:
        """J&F of a copy of the first true mask."""
        return (self.copy_j_mean + self.copy_f_mean) / 2


def _schema(fields: Iterable[Any], kind: str) -> Any:
    return pa.schema(fields, metadata={"stcn_schema": f"{kind}/{VERSION}"})


_KINDS = {int: pa.int64(), float: pa.float64(), str: pa.string()}
OBJECTS = _schema([pa.field(name, _KINDS[kind]) for name, kind in get_type_hints(ObjectScore).items()], "score-objects")
FRAMES = _schema(
    [
        pa.field("video_id", pa.string()),
        pa.field("object_id", pa.int64()),
        pa.field("frame_index", pa.int32()),  # null where the output has no row of the frame
        pa.field("frame_name", pa.string()),  # of the true mask
        *(pa.field(name, pa.float64()) for name in ("j", "f", "copy_j", "copy_f")),
        pa.field("area", pa.int64()),  # null where the output has no row of the object on the frame
        pa.field("true_area", pa.int64()),
        *(SELECTED.field(name).remove_metadata() for name in EXTRA_COLUMNS),  # null where the output does not say
    ],
    "score-frames",
)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of one output."""

    objects: Sequence[ObjectScore]  # by video and object
    frames: Any  # an Arrow table, as FRAMES says
    unscored: Sequence[str] = ()  # folders of the truth whose videos the output has no masks of
    too_late: Sequence[tuple[str, int]] = ()  # videos and objects that no frame counts of: first shown on the last one


def write_scores(location: str, scores: Scores) -> None:
    """Write both tables into a folder."""
    objects = pa.Table.from_pylist([dataclasses.asdict(score) for score in scores.objects], schema=OBJECTS)
    for name, table in ((FRAMES_FILE, scores.frames), (OBJECTS_FILE, objects)):
        content = io.BytesIO()
        pq.write_table(table, content, **store.COMPRESSION)
        storage.write(storage.join(location, name), content.getvalue())


def holds_scores(location: str) -> bool:
    """Whether a folder is one that `write_scores` wrote."""
    return storage.exists(storage.join(location, OBJECTS_FILE))


def read_scores(location: str) -> Scores:
    """Read what `write_scores` wrote. Raises UserError."""
    objects, frames = (_read(storage.join(location, name), schema) for name, schema in _FILES)
    for column, legal in (("protocol", PROTOCOLS), ("void", VOID_RULES)):
        if unknown := set(objects[column].to_pylist()) - set(legal):
            raise UserError(f"{location} was scored with {column} {sorted(unknown)!r}; legal: {', '.join(legal)}")
    return Scores(objects=[ObjectScore(**row) for row in objects.to_pylist()], frames=frames)


_FILES = ((OBJECTS_FILE, OBJECTS), (FRAMES_FILE, FRAMES))
_MAY_BE_NULL = {"frame_index", "area", *EXTRA_COLUMNS}


def _read(file: str, schema: Any) -> Any:
    try:
        table = store.parse(storage.read(file)).select(schema.names).cast(schema)
        table.validate(full=True)
        nulls = [name for name in schema.names if table[name].null_count and name not in _MAY_BE_NULL]
        if nulls:
            raise ValueError(f"nulls in the columns {nulls}")
        numbers = [field.name for field in schema if field.type == pa.float64()]
        if wrong := [name for name in numbers if not pc.all(pc.is_finite(table[name]), min_count=0).as_py()]:
            raise ValueError(f"values that are not finite in the columns {wrong}")
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        raise UserError(f"{file} is no table of scores: {error}; `stcn evaluate --scores` writes them") from error
    return table
