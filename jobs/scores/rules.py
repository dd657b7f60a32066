"""The rules on which benchmarks differ: which frames count, and what pixels of 255 in the truth mean."""

from dataclasses import dataclass
from typing import Literal, get_args

from jobs.errors import UserError

Protocol = Literal["davis", "youtube-vos"]
Void = Literal["ignore", "background"]

PROTOCOLS = {
    "davis": "an object counts from the frame after its first true mask to the last frame but one",
    "youtube-vos": "an object counts from the frame after its first true mask to the last frame",
}
VOID_RULES = {  # how 255 in the truth of a video was treated
    "none": "no pixel is 255",
    "object": "255 is the only object",
    "ignored": "255 is beside other ids: such pixels count for neither side",
    "background": "255 is beside other ids, and counts as background",
}


@dataclass(frozen=True)
class Rules:
    """The rules by which an output is scored."""

    protocol: Protocol = "davis"
    void: Void = "ignore"  # pixels of 255 where the truth has other ids, too
    only_given: bool = False  # frames without a row do not count, as in a selection; else their masks are empty

    def void_rule(self, is_there: bool, is_only: bool) -> str:
        """One of VOID_RULES. is_there: some pixel is 255. is_only: no true mask has another id."""
        if not is_there:
            return "none"
        if is_only:
            return "object"
        return "ignored" if self.void == "ignore" else "background"


def rules(protocol: str, void: str, only_given: bool = False) -> Rules:
    """The rules of these names. Raises UserError."""
    for option, given, legal in (("--protocol", protocol, get_args(Protocol)), ("--void", void, get_args(Void))):
        if given not in legal:
            raise UserError(f"{option} {given} is not known; legal: {', '.join(legal)}")
    return Rules(protocol, void, only_given)  # type: ignore[arg-type]
