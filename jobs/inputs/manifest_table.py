"""The table of a manifest as it lies in storage: a file of CSV, JSON lines or Parquet, or a folder of Parquet files."""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from jobs.errors import ManifestError
from jobs.io import storage
from jobs.outputs import store

REQUIRED = ("video_id", "video", "prompts")
STRINGS = (*REQUIRED, "remove", "void", "mask_names", "video_etag")  # so that an id 007 in a CSV stays 007
TABLES = (".parquet", ".csv", ".jsonl")
UTF_16 = "is text in UTF-16; legal: UTF-8, which Excel calls 'CSV UTF-8' when it saves"
NOT_TEXT = {  # the first bytes of files that people take for CSV
    b"\xff\xfe": UTF_16,
    b"\xfe\xff": UTF_16,
    b"\x1f\x8b": "is compressed by gzip; legal: the table itself",
    b"PK\x03\x04": "is a workbook of Excel, or a ZIP; legal: the sheet saved as 'CSV UTF-8'",
    b"\xd0\xcf\x11\xe0": "is a workbook of Excel; legal: the sheet saved as 'CSV UTF-8'",
}


def load_table(location: str) -> Any:
    """Read a table that has every required column, and no column twice. Raises ManifestError."""
    try:
        content = _read(location)
        if isinstance(content, bytes) and not location.lower().endswith(".parquet"):
            _require_text(location, content)
        table = content if isinstance(content, pa.Table) else _parse(location, content)
        names = table.column_names  # decoded here
    except FileNotFoundError:
        raise ManifestError(f"{location} does not exist") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{location} is not UTF-8 ({error}); legal: UTF-8, Excel's 'CSV UTF-8'") from error
    except pa.ArrowInvalid as error:
        types = f"; legal: {', '.join(REQUIRED)} as strings, and values of one type in a column"
        hint = types if "changed from" in str(error) else ""
        raise ManifestError(f"{location} cannot be read: {error}{hint}") from error
    if len(set(names)) < len(names):
        raise ManifestError(f"{location} has the columns {names}; legal: each column once")
    if missing := [name for name in REQUIRED if name not in names]:
        raise ManifestError(f"{location} lacks the columns {missing}; it has {names}{_hint(names)}")
    return table


def _read(location: str) -> Any:
    """The bytes of a table, or the table that a folder of Parquet files is, as Spark and Ray write one."""
    if storage.stat(location) is not None:
        return storage.read(location)
    parts = storage.find(location, [".parquet"])
    if not parts or not location.lower().endswith(".parquet"):
        raise ManifestError(f"{location} is a folder; legal: a file, or a folder of Parquet files called so")
    return pa.concat_tables([store.parse(storage.read(part.location)) for part in parts])


def _require_text(location: str, content: bytes) -> None:
    """Raise ManifestError for a file of a spreadsheet program. Without a byte-order mark, NUL tells UTF-16."""
    found = next((what for sign, what in NOT_TEXT.items() if content.startswith(sign)), None)
    if found is not None or b"\0" in content[:2]:
        raise ManifestError(f"{location} {found or UTF_16}")


def _hint(names: Sequence[str]) -> str:
    """Describe the likely mistake behind missing columns; empty if none is recognised."""
    if len(names) == 1 and any(other in names[0] for other in ";\t|"):
        return "; legal: columns separated by commas"
    return "; legal: names without spaces around them" if any(name != name.strip() for name in names) else ""


def _parse(location: str, content: bytes) -> Any:
    """Read a table. Arrow's threads stay off, as in `store`: with them, 2 of 16 `stcn plan` of a bad CSV aborted."""
    if location.lower().endswith(".parquet"):
        return store.parse(content)
    if location.lower().endswith(".csv"):
        strings = pa.csv.ConvertOptions(column_types=dict.fromkeys(STRINGS, pa.string()))
        return pa.csv.read_csv(io.BytesIO(content), pa.csv.ReadOptions(use_threads=False), convert_options=strings)
    strings = pa.json.ParseOptions(explicit_schema=pa.schema([(name, pa.string()) for name in REQUIRED]))
    # With the schema, an id 2024-01-01 stays a string and does not become a date.
    return pa.json.read_json(io.BytesIO(content), pa.json.ReadOptions(use_threads=False), strings)
