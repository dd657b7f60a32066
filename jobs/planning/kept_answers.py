"""What storage said of locations that lie apart, kept for the next run: a Parquet file beside the ledger.

Where locations lie together, a page of a listing answers hundreds of them, and every run asks again. One that lies
apart costs a request of its own, so its answer is believed as long as it leads to the work that is done. A kept answer
is only ever compared with committed work: a file that is damaged, missing or old makes a run ask, and nothing else.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.io import storage
from jobs.ledger.ledger import LEDGER
from jobs.outputs.store import COMPRESSION
from jobs.planning.answers import Answer, Answers
from jobs.records import Entry

FILE = f"{LEDGER}/answers.parquet"
SCHEMA = pa.schema(
    [
        pa.field("role", pa.string(), nullable=False),
        pa.field("location", pa.string(), nullable=False),
        pa.field("content", pa.binary(16), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in ("files", "num_bytes")),
        pa.field("requests", pa.float32(), nullable=False),
    ],
    metadata={"stcn_schema": "answers/1"},
)
Role = Literal["video", "prompts"]
ROLES: tuple[Role, ...] = ("video", "prompts")


class KeptAnswers:
    """The answers of an output, as Arrow columns: 100 bytes each."""

    def __init__(self, tables: Iterable[Any] = ()) -> None:
        """tables: with the columns of SCHEMA; of several answers on a location the first counts."""
        self.table: Any = pa.concat_tables([SCHEMA.empty_table(), *tables]).combine_chunks()

    def __len__(self) -> int:
        return len(self.table)

    def of(self, entries: Sequence[Entry]) -> list[Answers]:
        """The answers on each entry."""
        columns = [self._of_role(role, [getattr(entry, role) for entry in entries]) for role in ROLES]
        return list(map(Answers, *columns))

    def _of_role(self, role: Role, locations: list[str]) -> list[Answer | None]:
        table = self.table.filter(pc.equal(self.table["role"], role))
        places = pc.index_in(pa.array(locations, pa.string()), table["location"].combine_chunks())
        rows = table.take(places.drop_null()).select(Answer._fields).to_pylist()
        answers = iter([_answer(row) for row in rows])
        return [next(answers) if is_kept else None for is_kept in places.is_valid().to_pylist()]

    def updated(self, entries: Sequence[Entry], tables: Sequence[Any]) -> "KeptAnswers":
        """These answers, with others in place of those on some entries. tables: made by `table_of`."""
        old = self.table
        for role in ROLES if len(old) else ():
            locations = pa.array([getattr(entry, role) for entry in entries], pa.string())
            is_old = pc.and_(pc.equal(old["role"], role), pc.is_in(old["location"], locations))
            old = old.filter(pc.invert(is_old))
        return KeptAnswers([old, *tables])

    def write(self, output: str) -> None:
        """Write the file of an output. Its pages carry checksums, so that damage is noticed."""
        buffer = io.BytesIO()
        with pq.ParquetWriter(buffer, SCHEMA, write_page_checksum=True, **COMPRESSION) as writer:
            writer.write_table(self.table)
        storage.write(storage.join(output, FILE), buffer.getvalue())


def table_of(entries: Iterable[Entry], answers: Iterable[Answers]) -> Any:
    """The answers that are worth keeping, as a table: of locations that lie apart, once each."""
    rows: dict[tuple[Role, str], Answer] = {}
    for entry, of_entry in zip(entries, answers, strict=True):
        for role, location, answer in zip(ROLES, (entry.video, entry.prompts), of_entry, strict=True):
            if answer is not None and answer.is_apart:
                rows.setdefault((role, location), answer)
    stored = [
        {"role": role, "location": location, **answer._asdict(), "content": bytes.fromhex(answer.content)}
        for (role, location), answer in rows.items()
    ]
    return pa.Table.from_pylist(stored, schema=SCHEMA)


def read_answers(output: str) -> KeptAnswers:
    """The answers that an output's last run kept; none if the file is missing or damaged. Raises StorageError."""
    try:
        content = storage.read(storage.join(output, FILE))
    except FileNotFoundError:
        return KeptAnswers()
    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        return KeptAnswers([file.read(use_threads=False).select(SCHEMA.names).cast(SCHEMA)])
    except (pa.ArrowException, OSError, KeyError, ValueError):
        return KeptAnswers()


def _answer(row: dict[str, Any]) -> Answer:
    return Answer(**{**row, "content": row["content"].hex()})
