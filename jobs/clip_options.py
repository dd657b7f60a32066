"""What is done with a video's scenes and tracks: data that the command, a video's identity and its actor share."""

from dataclasses import dataclass
from typing import Literal, get_args

from jobs.errors import UserError

OnCut = Literal["keep", "stop", "split"]


@dataclass(frozen=True)
class ClipOptions:
    """Each changes results."""

    on_cut: OnCut = "keep"  # keep: masks go on across cuts; stop: the video ends at one; split: scenes are clips
    cycle_check: bool = False

    def __post_init__(self) -> None:
        if self.on_cut not in get_args(OnCut):
            raise UserError(f"--on-cut {self.on_cut} is not usable; legal: {', '.join(get_args(OnCut))}")


AS_IT_COMES = ClipOptions()
