"""The state of an output, of committed and running work, read from storage alone: as one document, and in words."""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from jobs.costs.cost_report import describe_last_run
from jobs.errors import ExitCode, StorageError, UserError
from jobs.outputs.selection_folder import is_selection
from jobs.outputs.store import run_info
from jobs.planning.latest_rows import LatestRows, read_latest_rows
from jobs.watching.live_document import SCHEMA, utc
from jobs.watching.live_reader import LiveReader, is_outage
from jobs.watching.live_text import describe_run
from jobs.watching.summary import SHOWN, summarise

READ_SHARE = 0.05  # of the time of whoever looks on goes to reading committed work: a million videos take 2 s


@dataclass(frozen=True, kw_only=True)
class OutputStatus:
    """What an output holds, and what its run says."""

    output: str
    rows: LatestRows | None  # None before a first run has planned
    info: Mapping[str, Any]  # of run.json; empty without one
    run: dict[str, Any] | None  # as LiveReader reads it

    def as_dict(self) -> dict[str, Any]:
        """The document of `stcn status --json`, which docs/WATCHING.md describes."""
        last = {name: self.info.get(name) for name in ("run", "started", "videos", "expected", "taken")}
        return {
            "schema": SCHEMA,
            "output": self.output,
            "time": utc(),
            "committed": None if self.rows is None else _committed(self.rows),
            "run": self.run,
            "last_run": last if self.info else None,
        }

    def describe(self) -> str:
        """The same in words."""
        lines = [] if self.rows is None else [summarise(self.rows, self.output)]
        if self.rows is not None and (last := self.info.get("videos", len(self.rows))) != len(self.rows):
            lines.append(f"  {last} of them are of the last run's manifest")
        if self.run and self.is_run_told:
            lines.append(describe_run(self.run, self.output))
        if told := describe_last_run(self.info):
            lines.append(told)
        return "\n".join(lines)

    @property
    def is_run_told(self) -> bool:
        """Whether the run's own words say more than the record of a run that came to its end."""
        finished = (ExitCode.DONE, ExitCode.FAILURES)
        return self.run is not None and not (self.run["state"] == "ended" and self.run["exit_code"] in finished)


class StatusReader:
    """Reads the status of an output again and again; committed work no oftener than its reading is cheap.

    What was read last holds while storage does not answer.
    """

    def __init__(self, output: str) -> None:
        self._output, self._live = output, LiveReader(output)
        self._last: OutputStatus | None = None
        self._read, self._took = 0.0, 0.0  # when committed work was read last, and for how long

    def read(self, *, is_last: bool = False) -> OutputStatus:
        """The present status. is_last: committed work is to be read in any case.

        Raises UserError for an output without any run.
        """
        if self._last is None and is_selection(self._output):
            return OutputStatus(output=self._output, rows=read_latest_rows(self._output), info={}, run=None)
        run, now = self._live.read(), time.monotonic()
        if self._last is None or is_last or now - self._read >= self._took / READ_SHARE:
            self._last = self._read_committed_or_last(is_begun=run is not None)
            self._read, self._took = now, time.monotonic() - now
        return replace(self._last, run=run)

    def _read_committed_or_last(self, *, is_begun: bool) -> OutputStatus:
        try:
            return self._read_committed(is_begun=is_begun)
        except StorageError as error:
            if self._last is None or not is_outage(error):
                raise
            return self._last

    def _read_committed(self, *, is_begun: bool) -> OutputStatus:
        info: Mapping[str, Any] = {}
        try:
            rows = read_latest_rows(self._output)
        except UserError:
            if not is_begun:
                raise
            rows = None
        with suppress(FileNotFoundError, NotADirectoryError):
            info = run_info(self._output)
        return OutputStatus(output=self._output, rows=rows, info=info, run=None)


def _committed(rows: LatestRows) -> dict[str, Any]:
    counts, bad = rows.counts(), rows.with_status("quarantined")
    first = [
        {"video_id": row.video_id, "error_class": row.error_class, "error_message": row.error_message}
        for row in rows.rows(bad[:SHOWN])
    ]
    return {
        "videos": len(rows),
        **{status: counts[status] for status in ("done", "quarantined", "pending")},
        "frames": rows.total("frames_decoded"),
        "masks": rows.total("masks"),
        "errors": dict(Counter(rows.error_classes())),
        "first_quarantined": first,
    }
