"""The options of an evaluation: a frozen dataclass. Each field is an option of `stcn evaluate`."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.errors import UserError
from jobs.options import Option, config_class
from jobs.scores.rules import Protocol, Void


@config_class
class EvaluateConfig:
    """Options of one evaluation."""

    output: Annotated[str, Option("A run's output, a selection, or a folder that --scores wrote.")]
    truth: Annotated[
        str | None,
        Option(
            "True masks: a DAVIS or YouTube-VOS tree, or a folder of PNGs per video.", unset="scores that OUTPUT holds"
        ),
    ] = None
    protocol: Annotated[
        Literal["auto", Protocol], Option("Benchmark whose frames count; auto: the one whose tree --truth is.")
    ] = "auto"
    void: Annotated[
        Void, Option("How pixels of 255 count in a true mask with other ids: not at all (ignore), or as background.")
    ] = "ignore"
    first_frame: Annotated[
        int, Field(ge=0), Option("Number that the names of true masks give a video file's first frame.")
    ] = 0
    workers: Annotated[int | None, Field(ge=1), Option("Videos to score side by side.", unset="the number of CPUs")] = (
        None
    )
    scores: Annotated[str | None, Option("Folder to write frames.parquet and objects.parquet to.")] = None
    against: Annotated[str | None, Option("Output, selection or folder of scores to compare with.")] = None
    trust: Annotated[bool, Option("Show how well each column of the masks predicts J.")] = False
    combine: Annotated[
        list[str] | None,
        Option("Columns, such as score+stability, to show a joint curve for. Needs --trust. Repeatable."),
    ] = None
    json: Annotated[bool, Option("Print one JSON object.")] = False

    def __post_init__(self) -> None:
        if self.combine and not self.trust:
            raise UserError("--combine needs --trust: it names columns whose curves --trust shows; add --trust")
