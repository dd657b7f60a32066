"""Tables of scores, with a row for each object and a row for each of its frames, and their Parquet files."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.errors import UserError
from jobs.io import storage
from jobs.outputs import store
from jobs.outputs.selection_folder import SELECTED
from jobs.outputs.stored_masks import EXTRA_COLUMNS
from jobs.scores.reported_metrics import BENCHMARK, STATISTICS, TITLES, copy_column
from jobs.scores.rules import PROTOCOLS, VOID_RULES
from stcn_core.metrics import Statistics

VERSION = "1"
OBJECTS_FILE, FRAMES_FILE = "objects.parquet", "frames.parquet"


@dataclass(frozen=True, kw_only=True)
class ObjectScore:
    """Scores of one object over the frames that count."""

    video_id: str
    object_id: int
    frames: int
    missing: int  # frames without a row in the output, scored as empty masks
    prompts: int  # frames on which the object was prompted, so that the mask was given
    statistics: Mapping[str, Statistics]  # of each metric
    copy_means: Mapping[str, float]  # mean of each metric for a copy of the first true mask: a baseline without a model
    protocol: str
    void: str

    @property
    def mean(self) -> float:
        """J&F."""
        return sum(self.statistics[column].mean for column in BENCHMARK) / len(BENCHMARK)

    @property
    def copy_mean(self) -> float:
        """J&F of a copy of the first true mask."""
        return sum(self.copy_means[column] for column in BENCHMARK) / len(BENCHMARK)

    def as_row(self) -> dict[str, Any]:
        """The values by column of OBJECTS."""
        statistics = (value for column in TITLES for value in self.statistics[column])
        copy_means = (self.copy_means[column] for column in TITLES)
        return {
            **{name: getattr(self, name) for name in COUNTS},
            **dict(zip(STATISTIC_COLUMNS, statistics, strict=True)),
            **dict(zip(COPY_COLUMNS, copy_means, strict=True)),
            **{name: getattr(self, name) for name in RULES},
        }

    @staticmethod
    def from_row(row: Mapping[str, Any]) -> "ObjectScore":
        """The score of a row of OBJECTS."""
        return ObjectScore(
            **{name: row[name] for name in (*COUNTS, *RULES)},
            statistics={c: Statistics(*(row[f"{c}_{statistic}"] for statistic in STATISTICS)) for c in TITLES},
            copy_means={column: row[f"{copy_column(column)}_mean"] for column in TITLES},
        )


COUNTS = {"video_id": pa.string(), "object_id": pa.int64(), "frames": pa.int64(), "missing": pa.int64(),
          "prompts": pa.int64()}  # fmt: skip
RULES = {"protocol": pa.string(), "void": pa.string()}
STATISTIC_COLUMNS = tuple(f"{column}_{statistic}" for column in TITLES for statistic in STATISTICS)
COPY_COLUMNS = tuple(f"{copy_column(column)}_mean" for column in TITLES)


def _schema(fields: Iterable[Any], kind: str) -> Any:
    return pa.schema(fields, metadata={"stcn_schema": f"{kind}/{VERSION}"})


OBJECTS = _schema(
    [
        *(pa.field(name, kind) for name, kind in COUNTS.items()),
        *(pa.field(name, pa.float64()) for name in (*STATISTIC_COLUMNS, *COPY_COLUMNS)),
        *(pa.field(name, kind) for name, kind in RULES.items()),
    ],
    "score-objects",
)
FRAMES = _schema(
    [
        pa.field("video_id", pa.string()),
        pa.field("object_id", pa.int64()),
        pa.field("frame_index", pa.int32()),  # null where the output has no row of the frame
        pa.field("frame_name", pa.string()),  # of the true mask
        *(pa.field(name, pa.float64()) for name in (*TITLES, *map(copy_column, TITLES))),
        pa.field("area", pa.int64()),  # null where the output has no row of the object on the frame
        pa.field("true_area", pa.int64()),
        *(SELECTED.field(name).remove_metadata() for name in EXTRA_COLUMNS),  # null where the output has no value
    ],
    "score-frames",
)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of one output."""

    objects: Sequence[ObjectScore]  # by video and object
    frames: Any  # an Arrow table with the schema FRAMES
    unscored: Sequence[str] = ()  # folders of the truth without masks in the output
    failures: Mapping[str, str] = field(default_factory=dict)  # video id -> why its true masks could not be used
    too_late: Sequence[tuple[str, int]] = ()  # (video id, object id) first shown on the last frame that counts


def write_scores(location: str, scores: Scores) -> None:
    """Write both tables into a folder."""
    objects = pa.Table.from_pylist([score.as_row() for score in scores.objects], schema=OBJECTS)
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
    return Scores(objects=[ObjectScore.from_row(row) for row in objects.to_pylist()], frames=frames)


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
