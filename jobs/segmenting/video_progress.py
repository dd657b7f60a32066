"""How far one video is: the frames that are segmented, and the pass that is under way."""

from typing import NamedTuple

from jobs.records import Phase


class VideoProgress(NamedTuple):
    """One step of a pass, such as a frame."""

    frames: int  # segmented so far; each counts once, by halves where two passes go over it
    phase: Phase = "forward pass"
    length: int | None = None  # frames that are to be segmented, if this step told them

    @property
    def is_again(self) -> bool:
        """Whether the step went through a frame that its pass makes no masks of, and that does not count."""
        return self.phase in ("scan", "cycle check")
