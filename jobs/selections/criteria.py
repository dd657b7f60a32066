"""What a selection is to hold: one frozen dataclass, whose fields are the flags of `stcn select`."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.errors import UserError

UNITS = ("frame", "mask")
SHARES = ("min_score", "min_stability", "min_cycle", "min_trust")  # 0 to 1


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """Options of one selection; None: not asked for."""

    min_score: float | None = None
    min_stability: float | None = None
    min_cycle: float | None = None  # of a mask's object
    min_area: int | None = None  # pixels
    min_trust: float | None = None
    best: float | None = None  # share of the units that pass everything before it
    max_per_video: int | None = None  # units
    every: int | None = None  # of the frames, counted from a video's first
    unit: str = "frame"  # what is kept or dropped as one: a whole frame, or a single mask
    prompts: bool = True  # whether prompts are kept
    events: bool = True  # whether frames on which something was amiss with an object are kept

    def __post_init__(self) -> None:
        for name in SHARES:
            self._require(name, "0 to 1", lambda value: 0 <= value <= 1)
        self._require("best", "more than 0, up to 1, such as 0.5", lambda value: 0 < value <= 1)
        self._require("min_area", "0 pixels or more", lambda value: value >= 0)
        for name in ("max_per_video", "every"):
            self._require(name, "1 or more", lambda value: value >= 1)
        self._require("unit", " or ".join(UNITS), lambda value: value in UNITS)

    def _require(self, name: str, legal: str, holds: Callable[[Any], bool]) -> None:
        value = getattr(self, name)
        if value is not None and not holds(value):  # a NaN holds nothing
            raise UserError(f"{flag(name)} {value} is not usable; legal: {legal}")

    def given(self) -> dict[str, object]:
        """What was asked for, by field."""
        fields = {field.name: field.default for field in dataclasses.fields(self)}
        return {name: value for name, value in dataclasses.asdict(self).items() if value != fields[name]}


def flag(name: str) -> str:
    """A field as the flag that sets it."""
    return f"--{name.replace('_', '-')}"
