"""Tables of scores are read as written, and invalid tables raise with the reason."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.errors import UserError
from jobs.scores.tables import FRAMES, ObjectScore, Scores, holds_scores, read_scores, write_scores
from stcn_core.metrics import Statistics
from tests.bit_flips import check_flips_are_told

SCORE = ObjectScore(
    video_id="v\u00e4",
    object_id=3,
    frames=2,
    missing=1,
    prompts=0,
    statistics={"j": Statistics(0.5, 0.5, 0.25), "f": Statistics(0.75, 1.0, -0.5)},
    copy_means={"j": 0.1, "f": 0.2},
    protocol="davis",
    void="ignored",
)


def tables(folder: Path) -> Scores:
    rows = [{field.name: None for field in FRAMES} | {"video_id": "v", "object_id": 3, "frame_name": f"{t}",
             "j": 0.5, "f": 0.75, "copy_j": 0.1, "copy_f": 0.2, "true_area": 9} for t in range(2)]  # fmt: skip
    scores = Scores(objects=[SCORE], frames=pa.Table.from_pylist(rows, schema=FRAMES))
    write_scores(str(folder), scores)
    return scores


def test_tables_are_read_as_written(tmp_path: Path) -> None:
    written, found = tables(tmp_path / "s"), read_scores(f"{tmp_path}/s")
    assert holds_scores(f"{tmp_path}/s")
    assert not holds_scores(str(tmp_path))
    assert found.objects == written.objects
    assert found.frames.equals(written.frames)
    assert pq.read_schema(tmp_path / "s/objects.parquet").metadata[b"stcn_schema"] == b"score-objects/1"


@pytest.mark.parametrize(
    ("column", "value"), [("j", None), ("j", float("nan")), ("f", float("inf")), ("video_id", None)]
)
def test_invalid_values_raise_with_their_column(column: str, value: object, tmp_path: Path) -> None:
    table = tables(tmp_path).frames
    filled = pa.array([value] * 2, FRAMES.field(column).type)
    pq.write_table(
        table.set_column(table.column_names.index(column), FRAMES.field(column), filled), tmp_path / "frames.parquet"
    )
    with pytest.raises(UserError, match=rf"{tmp_path}/frames.parquet is no table of scores: .*{column}"):
        read_scores(str(tmp_path))


def test_unknown_rule_raises_without_terminal_escapes(tmp_path: Path) -> None:
    write_scores(str(tmp_path), replace(tables(tmp_path), objects=[replace(SCORE, void="\x1b[2J")]))
    with pytest.raises(UserError, match=r"was scored with void \['\\x1b\[2J'\]; legal: none, object, ignored"):
        read_scores(str(tmp_path))


def test_flipped_byte_raises_only_user_error(tmp_path: Path) -> None:
    tables(tmp_path)
    check_flips_are_told(tmp_path / "objects.parquet", lambda: read_scores(str(tmp_path)), flips=200)
