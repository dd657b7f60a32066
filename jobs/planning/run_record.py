"""Reads an output's records of its runs: their options, and the row of each video."""

from collections.abc import Collection

from jobs.errors import UserError
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.planning.latest_rows import read_latest_rows
from jobs.records import VideoRow


def read_config(output: str, file: str = store.RUN_FILE) -> SegmentConfig:
    """The options of an output's last run, or of the run that wrote another file of that form.

    Raises UserError if there was none, or its record is damaged.
    """
    try:
        return SegmentConfig(**{**store.run_info(output, file)["config"], "output": output})
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{output} holds no run: there is no {store.RUN_FILE}; start one with `stcn segment`") from None
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(output, f"{type(error).__name__}: {error}") from error
    except UserError as error:
        raise _damaged(output, str(error).replace("\n", "; ")) from error


def _damaged(output: str, reason: str) -> UserError:
    return UserError(
        f"{output}/{store.RUN_FILE} is damaged, or of another version: {reason}; "
        "the same `stcn segment` writes it again"
    )


class RunConfigs:
    """The options of each run of an output: a video is opened as the run opened it that made its masks."""

    def __init__(self, output: str) -> None:
        """Raises UserError if there was no run, or its record is damaged."""
        self._output, self._last = output, read_config(output)
        self._known: dict[str, SegmentConfig] = {}

    def of(self, row: VideoRow) -> SegmentConfig:
        """The options of the run that settled a video; those of the last run where its own are not known."""
        if row.run is None:
            return self._last
        if row.run not in self._known:
            try:
                self._known[row.run] = read_config(self._output, store.run_file(row.run))
            except UserError:
                self._known[row.run] = self._last
        return self._known[row.run]


def read_video_rows(output: str) -> list[VideoRow]:
    """The rows of all videos of an output, of all its manifests, brought up to date from the ledger.

    Raises UserError if there was no run.
    """
    return read_latest_rows(output).rows()


def done_rows(output: str, only: Collection[str] | None = None) -> dict[str, VideoRow]:
    """The rows of the videos that are done, by id.

    only: ids of the videos that are asked for; None, or none: all videos of all manifests. Raises UserError if there
    was no run, and for an id that the output has no masks of.
    """
    rows = {row.video_id: row for row in read_video_rows(output) if row.status == "done"}
    if unknown := sorted(set(only or ()) - set(rows)):
        raise UserError(
            f"{output} has no masks of {', '.join(map(repr, unknown[:5]))}; legal: ids of videos that are done, such "
            f"as {', '.join(map(repr, sorted(rows)[:3]))}"
        )
    return {video_id: row for video_id, row in rows.items() if not only or video_id in only}
