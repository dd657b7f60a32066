"""Promise: `stcn verify` proves an output from storage, and finds planted damage of each kind."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.commands.forget import forget
from jobs.commands.verify import describe, verify
from jobs.errors import UserError
from jobs.io import storage
from jobs.outputs import store
from tests.jobs.ledger.records import record_locations, record_path
from tests.reliability.small_run import FIRST, THEN, SmallRun, verified


@pytest.fixture
def output(tmp_path: Path) -> str:
    run = SmallRun(str(tmp_path / "out"), tmp_path / "work")
    run.run(FIRST, "first")
    run.run(THEN, "then")
    return run.output


def files(output: str) -> list[Path]:
    return sorted(Path(output, "masks").iterdir())


def alter_masks(output: str) -> None:
    content = bytearray(files(output)[0].read_bytes())
    content[len(content) // 2] ^= 1
    files(output)[0].write_bytes(content)


def add_a_copy(output: str) -> None:
    Path(output, "masks/copy.parquet").write_bytes(files(output)[0].read_bytes())


def alter_a_record(output: str) -> None:
    path = record_path(output, 1)
    path.write_bytes(path.read_bytes().replace(b'"done"', b'"gone"', 1))


def place_masks_twice(output: str) -> None:
    """Two committed files with the masks of one video: what no run does, and verify must see."""
    path = Path(record_locations(output)[-1])
    record = json.loads(path.read_bytes())
    content = files(output)[0].read_bytes() + b""
    extra = Path(output, "masks", "twice.parquet")
    extra.write_bytes(content)
    record["files"]["twice.parquet"] = {
        "source": "_attempts/x/y.parquet", "num_bytes": len(content), "sha256": storage.sha256(content),
    }  # fmt: skip
    del record["sha256"]
    record = {"sha256": storage.sha256(json.dumps(record, sort_keys=True).encode()), **record}
    path.write_text(json.dumps(record))


def drop_a_row(output: str) -> None:
    location = f"{output}/{store.VIDEOS_FILE}"
    store.write_videos(location, store.read_videos(location)[1:])


def double_a_row(output: str) -> None:
    location = f"{output}/{store.VIDEOS_FILE}"
    rows = store.read_videos(location)
    store.write_videos(location, [*rows, rows[0]])


def add_to_the_manifest(output: str) -> None:
    manifest = Path(output).parent / "work/manifest.csv"
    manifest.write_text(manifest.read_text() + "\nlost,lost.mp4,lost.png")


DAMAGE: list[tuple[Callable[[str], object], str]] = [
    (alter_masks, "is not what was committed"),
    (lambda output: files(output)[0].unlink(), "is gone"),
    (add_a_copy, "copy.parquet was never committed"),
    (alter_a_record, "00000001.json is damaged"),
    (lambda output: record_path(output, 1).unlink(), "lacks 00000001.json"),
    (place_masks_twice, "twice.parquet has masks of video .*, which the log does not place there"),
    (drop_a_row, "'a' of the manifest has no row"),
    (double_a_row, "'a' has 2 rows"),
    (add_to_the_manifest, "'lost' of the manifest has no row"),
]


@pytest.mark.parametrize(("plant", "message"), DAMAGE, ids=lambda value: getattr(value, "__name__", None))
def test_planted_damage_is_found(plant: Callable[[str], object], message: str, output: str) -> None:
    found = verified(output)
    assert (found.rows["done"], found.rows["quarantined"], found.files) == (4, 1, 4)
    plant(output)
    text = describe(verify(output), output)
    assert "PROBLEM" in text
    assert re.search(message, text), text


def test_leftovers_of_a_killed_run_are_no_damage(output: str, tmp_path: Path) -> None:
    """A commit whose file was not published yet, and an attempt of a run that is no more."""
    (path,) = [p for p in files(output) if b"video_id" in p.read_bytes()][:1]
    records = [json.loads(storage.read(location)) for location in record_locations(output)]
    source = next(
        file["source"] for r in records for name, file in r.get("files", {}).items() if file and name == path.name
    )
    Path(output, source).parent.mkdir(parents=True)
    path.rename(Path(output, source))
    found = verified(output)
    assert any("is committed, and is published by the next run" in note for note in found.notes)
    assert any("attempts are left" in note for note in found.notes)


def test_journal_spares_files_that_were_verified(output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / "verified.jsonl"
    first = verify(output, journal)
    read: list[str] = []
    original = storage.read
    monkeypatch.setattr(storage, "read", lambda location: read.append(location) or original(location))  # type: ignore[func-returns-value]
    again = verify(output, journal)
    assert dataclasses.replace(again, noted_files=0) == first
    assert f"{len(files(output))} files were verified earlier" in describe(again, output)
    assert not [location for location in read if "/masks/" in location]
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])  # killed as it wrote the third file
    assert dataclasses.replace(verify(output, journal), noted_files=0) == first
    assert len([location for location in read if "/masks/" in location]) == len(files(output)) - 2
    assert sorted(journal.read_text().splitlines()) == sorted(lines)


def test_journal_hides_no_file_that_is_gone(output: str, tmp_path: Path) -> None:
    verify(output, tmp_path / "verified.jsonl")
    files(output)[0].unlink()
    files(output)[-1].write_bytes(b"short")
    problems = verify(output, tmp_path / "verified.jsonl").problems
    assert [text.split(" ", 1)[1].split(";")[0].split(":")[0] for text in problems] == [
        "is gone", "is not what was committed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content",
    ["no JSON\n", '{"output": "/elsewhere"}\n', "[]\n", '{"output": 1}\n{}\n', "a,b\n1,2\n3,4", "without an end"],
)
def test_journal_of_something_else_is_refused(content: str, output: str, tmp_path: Path) -> None:
    journal = tmp_path / "verified.jsonl"
    journal.write_text(content)
    with pytest.raises(UserError, match="--journal .* is of .*; legal: a new file, or one that noted"):
        verify(output, journal)
    assert journal.read_text() == content


def test_forgotten_video_and_a_manifest_that_is_gone_are_no_damage(output: str) -> None:
    forget(output, ["a"])
    assert verified(output).rows["done"] == 3
    (Path(output).parent / "work/manifest.csv").unlink()
    (note,) = verified(output).notes
    assert note.startswith("the manifest cannot be read, so its videos are not compared with the rows")
