"""Reads from storage what a run says of itself, and tells a run that is at work from one whose process is gone."""

import json
import time
from typing import Any

from jobs.errors import CredentialsError, RefusedError, StorageError
from jobs.io import storage
from jobs.io.age import age_of
from jobs.ledger.run_lock import is_alive_here
from jobs.watching.live_document import NO_COUNTS, SCHEMA, location

SILENT_INTERVALS = 3  # of the writer's, after which a document is out of date: two may be lost to slow storage
LOST_INTERVALS = 30  # after which nobody waits for the next one
FIELDS = {"run", "driver", "state", "sequence", "interval_seconds", *NO_COUNTS}  # at least, of a document that is whole


class LiveReader:
    """The live document of an output, read again and again.

    Clocks of several machines are not compared. The first document has its age by the store's clock; from then on the
    reader counts for itself since when no other one has come, also while storage does not answer.
    """

    def __init__(self, output: str) -> None:
        self._location = location(output)
        self._key: tuple[object, object] | None = None  # of the document that was read last
        self._written = 0.0  # when it came, by this process's clock
        self._last: dict[str, Any] | None = None

    def read(self) -> dict[str, Any] | None:
        """The document with its `age_seconds`; None if there is none that this version reads.

        Its state is "silent" where it is out of date, and "gone" where its process ended without a word: on this
        machine that can be seen. What actors are on is then not known, and their state is "silent" too.
        """
        if (document := self._read_or_last()) is None:
            return None
        document["age_seconds"] = age = round(self._age(document), 1)
        if document["state"] == "ended":
            return document
        if is_alive_here(document["driver"]) is False:
            return _silenced(document, "gone")
        return _silenced(document, "silent") if age > SILENT_INTERVALS * document["interval_seconds"] else document

    def _read_or_last(self) -> dict[str, Any] | None:
        try:
            self._last = self._read()
        except StorageError as error:
            if self._last is None or not is_outage(error):
                raise
        return None if self._last is None else dict(self._last)

    def _read(self) -> dict[str, Any] | None:
        try:
            document = json.loads(storage.read_unchecked(self._location))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
            return None
        is_ours = isinstance(document, dict) and document.get("schema") == SCHEMA and document.keys() >= FIELDS
        return document if is_ours else None

    def _age(self, document: dict[str, Any]) -> float:
        key = document["run"], document["sequence"]
        if key != self._key:
            self._written = time.monotonic() - (self._first_age() if self._key is None else 0.0)
            self._key = key
        return time.monotonic() - self._written

    def _first_age(self) -> float:
        try:
            return age_of(self._location) or 0.0
        except FileNotFoundError:  # somebody has removed it just now
            return 0.0


def is_outage(error: StorageError) -> bool:
    """Whether storage did not answer, and may do so again."""
    return not isinstance(error, CredentialsError | RefusedError)


def is_over(document: dict[str, Any] | None) -> bool:
    """Whether nothing more is to come of a run."""
    if document is None or document["state"] in ("ended", "gone"):
        return True
    return bool(document["age_seconds"] > LOST_INTERVALS * document["interval_seconds"])


def _silenced(document: dict[str, Any], state: str) -> dict[str, Any]:
    workers = [worker | {"state": "silent"} for worker in document["workers"]]
    return document | {"state": state, "workers": workers}
