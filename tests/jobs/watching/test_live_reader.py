"""Whether a run is at work, as somebody sees who has its output alone."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import CredentialsError, StorageError
from jobs.io import storage
from jobs.io.age import age_of
from jobs.watching import live_reader
from jobs.watching.live_document import LIVE_FILE, location
from jobs.watching.live_reader import LiveReader, is_over
from tests.jobs.watching.live_runs import counts, live_file, reporter, told, worker


@pytest.fixture
def at_work(tmp_path: Path) -> dict[str, Any]:
    """What a run of this process said while it was at work on one video."""
    with live_file(str(tmp_path)) as live:
        reporter(live, [worker(1)]).show(counts())
        live.enter("segmenting")
        return told(tmp_path, "segmenting")


def put(folder: Path, document: object, age: float = 0.0) -> None:
    """Write a document as if it had been written so many seconds ago."""
    path = Path(folder, LIVE_FILE)
    path.write_text(json.dumps(document))
    os.utime(path, times=(time.time() - age,) * 2)


def elsewhere(document: dict[str, Any], **others: object) -> dict[str, Any]:
    return document | {"driver": document["driver"] | {"machine": "another"}} | others


def state(folder: Path) -> str:
    found = LiveReader(str(folder)).read()
    assert found is not None
    is_known = found["state"] == "segmenting"
    assert [worker["state"] for worker in found["workers"]] == ["segmenting" if is_known else "silent"]
    return str(found["state"])


def test_a_process_of_this_machine_is_looked_for(tmp_path: Path, at_work: dict[str, Any]) -> None:
    put(tmp_path, at_work)
    assert state(tmp_path) == "segmenting"
    put(tmp_path, at_work | {"driver": at_work["driver"] | {"process_started": 1.0}})  # its id is another process's now
    assert state(tmp_path) == "gone"


def test_a_process_of_another_machine_is_judged_by_the_age_of_its_document(
    tmp_path: Path, at_work: dict[str, Any]
) -> None:
    for age, expected in ((0, "segmenting"), (25, "segmenting"), (60, "silent"), (3600, "silent")):
        put(tmp_path, elsewhere(at_work), age)
        assert state(tmp_path) == expected
        assert is_over(LiveReader(str(tmp_path)).read()) == (age == 3600)


def test_clocks_do_not_matter_once_a_second_document_has_come(tmp_path: Path, at_work: dict[str, Any]) -> None:
    """The writer's file server is an hour behind."""
    reader = LiveReader(str(tmp_path))
    put(tmp_path, elsewhere(at_work), age=3600)
    first = reader.read() or {}
    put(tmp_path, elsewhere(at_work, sequence=at_work["sequence"] + 1), age=3600)
    second = reader.read() or {}
    assert (first["state"], second["state"]) == ("silent", "segmenting")
    assert second["age_seconds"] < 10


def test_the_last_document_grows_old_while_storage_does_not_answer(
    tmp_path: Path, at_work: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(location: str) -> bytes:
        raise error

    put(tmp_path, elsewhere(at_work), age=20)
    reader = LiveReader(str(tmp_path))
    first = reader.read() or {}
    error: StorageError = StorageError("no answer")
    monkeypatch.setattr(storage, "read_unchecked", fail)
    second = reader.read() or {}
    monkeypatch.setattr(live_reader, "SILENT_INTERVALS", 1)
    third = reader.read() or {}
    assert [found["state"] for found in (first, second, third)] == ["segmenting", "segmenting", "silent"]
    assert 20 <= first["age_seconds"] <= second["age_seconds"] <= third["age_seconds"]
    with pytest.raises(StorageError, match="no answer"):
        LiveReader(str(tmp_path)).read()
    error = CredentialsError("expired")
    with pytest.raises(CredentialsError):
        reader.read()


@pytest.mark.parametrize("content", [[], {"schema": 1}, {"schema": 99}, "x"])
def test_a_document_that_is_none_is_passed_by(tmp_path: Path, content: object) -> None:
    put(tmp_path, content)
    assert LiveReader(str(tmp_path)).read() is None


def test_a_store_tells_the_age_of_a_document_by_its_own_clock(
    bucket: str, at_work: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write(location(bucket), json.dumps(elsewhere(at_work)).encode())
    monkeypatch.setattr(time, "time", lambda: 0.0)  # a reader whose clock is wrong
    age = age_of(location(bucket))
    assert age is not None
    assert 0 <= age < 20
