"""Which settled videos of an output are segmented again."""

from collections.abc import Callable, Sequence

from jobs.errors import UserError
from jobs.ledger.ledger import Ledger
from jobs.outputs.packed_rows import VideoState
from jobs.planning.config import SegmentConfig

RetryRule = Callable[[VideoState], bool]


def check_classes(classes: Sequence[str], ledger: Ledger) -> None:
    """Raise UserError for error classes that no quarantined video has."""
    legal = sorted({str(state.error_class) for state in ledger.videos.states() if state.status == "quarantined"})
    if unknown := sorted(set(classes) - set(legal)):
        raise UserError(f"--only {', '.join(unknown)}: no quarantined video has this class; legal: {legal}")


def retry_rule(config: SegmentConfig, classes: Sequence[str] | None) -> RetryRule:
    """Return the rule for settled videos: retry those requested, and those whose outcome --strict has changed.

    A strict run retries damaged videos that are done; any other run retries those that only a strict run quarantined.
    classes: as in `prepare_job`.
    """

    redone = frozenset(config.redo or ())

    def is_retried(state: VideoState) -> bool:
        if state.video_id in redone:
            return True
        if state.status == "quarantined":
            is_requested = classes is not None and (not classes or state.error_class in classes)
            return is_requested or (state.error_class == "DamagedError" and not config.strict)
        return config.strict and state.damage is not None

    return is_retried


def done_work(ledger: Ledger, is_retried: RetryRule) -> dict[str, str]:
    """Map the id of each video that is done, and stays so, to its work id."""
    done = (state for state in ledger.videos.states() if state.status == "done" and not is_retried(state))
    return {state.video_id: state.work_id for state in done}
