"""Pixels that masks of several objects share: how many are legal, and whose they become."""

from collections.abc import Callable

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.leniency import OnOverlap

# Masks of neighbours share pixels along edges. If more than this share of a mask is shared, both show one thing.
MAX_OVERLAP = 0.05

MaskKey = tuple[int, int]  # frame and object id


class Overlaps:
    """The areas of the masks of a video, and the pixels that they share."""

    def __init__(self, rule: OnOverlap, note: Callable[[str], None]) -> None:
        """rule: whose shared pixels become. note: called with each overlap that the rule has settled."""
        self._rule, self._note = rule, note
        self._areas: dict[MaskKey, int] = {}  # pixels of each mask as given
        self._shared: dict[MaskKey, int] = {}  # pixels that other masks have, too

    def __contains__(self, key: MaskKey) -> bool:
        return key in self._areas

    def __len__(self) -> int:
        return len(self._areas)

    def add(self, frame: int, object_id: int, area: int, *, before: np.ndarray) -> np.ndarray:
        """Add a mask, and return the ids of its pixels. Raises PromptError for too many shared pixels.

        area: pixels of the mask. before: ids under the mask, int32 (area,), 0 for none.
        """
        others, counts = np.unique(before[before > 0], return_counts=True)
        added: dict[MaskKey, int] = {}
        for other, count in zip(others.tolist(), counts.tolist(), strict=True):
            shares = {}
            for key in ((frame, object_id), (frame, other)):
                added[key] = added.get(key, 0) + count
                shared = self._shared.get(key, 0) + added[key]
                shares[key[1]] = shared / (area if key[1] == object_id else self._areas[key])
            most = max(shares, key=lambda i: shares[i])
            self._check(frame, (other, object_id), of=most, share=shares[most])
        for key, count in added.items():
            self._shared[key] = self._shared.get(key, 0) + count
        behind = [other for other in others.tolist() if self._is_in_front(frame, object_id, other, area=area)]
        self._areas[frame, object_id] = area
        return np.where((before == 0) | np.isin(before, behind), object_id, before)

    def _check(self, frame: int, objects: tuple[int, int], *, of: int, share: float) -> None:
        if share <= MAX_OVERLAP:
            return
        both = f"masks of the objects {objects[0]} and {objects[1]} overlap on frame {frame}: {share:.0%} of {of}'s"
        if self._rule == "refuse":
            raise PromptError(
                f"{both} is shared; legal: up to {MAX_OVERLAP:.0%}, which go to the higher id, as a pixel is of one "
                "object. Cut the front one's mask out of the other's, or say which one is in front: --overlap smaller, "
                "later, first or higher, or the manifest's column overlap"
            )
        self._note(f"{both} is shared; overlap is {self._rule}")

    def _is_in_front(self, frame: int, object_id: int, other: int, *, area: int) -> bool:
        """Whether a new mask gets the pixels that it shares with another object's."""
        if self._rule == "smaller" and area != self._areas[frame, other]:
            return area < self._areas[frame, other]
        if self._rule in ("later", "first"):
            return self._rule == "later"
        return object_id > other
