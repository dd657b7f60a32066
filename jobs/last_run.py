"""What an output says of the run that made it."""

from jobs.config import SegmentConfig
from jobs.errors import UserError
from jobs.outputs import store


def read_config(output: str) -> SegmentConfig:
    """The options of an output's last run. Raises UserError if there was none, or its record is damaged."""
    try:
        return SegmentConfig(**{**store.run_info(output)["config"], "output": output})
    except FileNotFoundError:
        raise UserError(f"{output} holds no run: there is no {store.RUN_FILE}; start one with `stcn segment`") from None
    except (ValueError, KeyError, TypeError) as error:
        damaged = f"{output}/{store.RUN_FILE} is damaged, or of another version: {type(error).__name__}: {error}"
        raise UserError(f"{damaged}; the same `stcn segment` writes it again") from error
