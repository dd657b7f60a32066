"""Reads an output's record of its last run: the options, and the row of each video."""

from jobs.errors import UserError
from jobs.io import storage
from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.records import VideoRow


def read_config(output: str) -> SegmentConfig:
    """The options of an output's last run. Raises UserError if there was none, or its record is damaged."""
    try:
        return SegmentConfig(**{**store.run_info(output)["config"], "output": output})
    except FileNotFoundError:
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


def read_video_rows(output: str) -> list[VideoRow]:
    """The rows of all videos of an output: the table of the last run, brought up to date from the ledger."""
    rows = store.read_videos(storage.join(output, store.VIDEOS_FILE))
    if not rows:
        raise UserError(f"{output} holds no run: there is no {store.VIDEOS_FILE}; start one with `stcn segment`")
    latest = Ledger(output).videos
    return [known if (known := latest.get(row.video_id)) and known.work_id == row.work_id else row for row in rows]
