"""The criteria of a selection: a frozen dataclass. Each field is an option of `stcn select`."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.options import Option, config_class

THRESHOLDS, AMOUNT, UNITS = "Thresholds", "Amount", "Units"
Share = Annotated[float | None, Field(ge=0, le=1)]


@config_class
class Criteria:
    """Options of one selection; None drops nothing."""

    min_score: Annotated[Share, Option("Drop masks with a lower score.", THRESHOLDS)] = None
    min_stability: Annotated[Share, Option("Drop masks with a lower stability.", THRESHOLDS)] = None
    min_cycle: Annotated[
        Share, Option("Drop masks of objects with a lower cycle IoU, from --cycle-check.", THRESHOLDS)
    ] = None
    min_area: Annotated[
        int | None,
        Field(ge=0),
        Option("Drop smaller masks.", THRESHOLDS, legal="0 pixels or more"),
    ] = None
    min_trust: Annotated[
        Share, Option("Drop masks with a lower trust, an estimate of the IoU with the truth.", THRESHOLDS)
    ] = None

    best: Annotated[
        float | None,
        Field(gt=0, le=1),
        Option(
            "Keep this share of the units that pass all thresholds: the most trusted ones.",
            AMOUNT,
            legal="more than 0, up to 1, such as 0.5",
        ),
    ] = None
    max_per_video: Annotated[
        int | None,
        Field(ge=1),
        Option("Keep at most this many units of each video: trusted ones, spread over it.", AMOUNT),
    ] = None
    every: Annotated[int | None, Field(ge=1), Option("Keep every Nth frame, counted from a video's first.", AMOUNT)] = (
        None
    )

    only: Annotated[
        list[str] | None, Option("Select from this video alone. Repeatable.", AMOUNT, unset="all that are done")
    ] = None
    unit: Annotated[
        Literal["frame", "mask"], Option("Keep or drop whole frames (frame), or each mask by itself (mask).", UNITS)
    ] = "frame"
    prompts: Annotated[bool, Option("Keep prompted masks.", UNITS)] = True
    events: Annotated[bool, Option("Keep frames on which an object drifted or vanished.", UNITS)] = True
