"""What becomes of prompts that contradict a rule but leave the others usable."""

from dataclasses import dataclass
from typing import Literal

OnBadAnnotation = Literal["refuse", "skip"]
OnOverlap = Literal["refuse", "higher", "smaller", "later", "first"]


@dataclass(frozen=True, kw_only=True)
class Leniency:
    """How far a video's prompts may break the rules. By default a single broken rule refuses all of them."""

    on_bad_annotation: OnBadAnnotation = "refuse"  # skip: go on without the mask that cannot be used
    # The object that gets the pixels of two masks: of the higher id, of the smaller mask, or of the later or first one
    # in its file. refuse: as higher, up to MAX_OVERLAP.
    overlap: OnOverlap = "refuse"
