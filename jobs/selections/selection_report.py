"""What a selection kept, and why not the rest: counted, and in words."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jobs.errors import printable
from jobs.options import flag
from jobs.selections.criteria import Criteria
from jobs.selections.judging import KEPT, REASONS, Ints, Units

IN_WORDS = {
    "video": "video not done, or no longer in the manifest",
    "empty": "no mask there",
    "prompts": "--no-prompts",
    "events": "--no-events",
}
SHOWN = 10  # videos that are listed at most
HEADING = "dropped by the first of"
UNITS, MASKS = 0, 1  # rows of counts


@dataclass
class SelectionReport:
    """Counts of units and masks of each video by reason, an array (2, REASONS)."""

    criteria: Criteria
    videos: dict[str, Ints] = field(default_factory=dict)

    def add(self, units: Units) -> None:
        """Count the units of a file."""
        shape = len(units.ids), len(REASONS)
        cell = units.video * len(REASONS) + units.reason
        counts = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        masks = np.bincount(cell, units.masks, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)
        for video_id, *of_both in zip(units.ids, counts, masks, strict=True):
            self.videos[video_id] = self.videos.get(video_id, 0) + np.stack(of_both)

    @property
    def total(self) -> Ints:
        """Of all videos."""
        return np.sum(list(self.videos.values()), axis=0) if self.videos else np.zeros((2, len(REASONS)), np.int64)

    def kept_masks(self) -> dict[str, int]:
        """The videos of which something is kept, and how many masks."""
        kept = {video_id: int(counts[MASKS, KEPT]) for video_id, counts in self.videos.items()}
        return {video_id: masks for video_id, masks in kept.items() if masks}

    def as_dict(self) -> dict[str, Any]:
        """For selection.json."""
        total, unit = self.total, f"{self.criteria.unit}s"
        of_reason = [{unit: int(units)} | {"masks": int(masks)} for units, masks in total.T]
        dropped = {name: counts for name, counts in zip(REASONS, of_reason, strict=True) if counts["masks"]}
        kept = dropped.pop("kept", {unit: 0} | {"masks": 0})
        return {"kept": {"videos": len(self.kept_masks()), **kept}, "dropped": dropped}

    def describe(self) -> str:
        """What was kept; a line for each reason that dropped something; and the videos that lost most of theirs."""
        total, unit = self.total, self.criteria.unit
        (units, masks), (kept, kept_masks) = total.sum(axis=1).tolist(), total[:, KEPT].tolist()
        of_masks = f", {kept_masks} of {masks} masks" if unit != "mask" else ""
        of_videos = f"in {len(self.kept_masks())} of {len(self.videos)} videos"
        lines = [f"kept {kept} of {units} {unit}s{of_masks}, {of_videos}"]
        if reasons := [i for i in range(len(REASONS)) if i != KEPT and total[MASKS, i]]:
            names = [HEADING, *(self._in_words(i) for i in reasons)]
            columns = [[unit + "s", *total[UNITS, reasons]], ["masks", *total[MASKS, reasons]]]
            width, rows = max(map(len, names)), zip(names, *columns[: 1 if unit == "mask" else 2], strict=True)
            lines += ["  ".join([f"  {name:{width}}", *(f"{cell:>9}" for cell in cells)]) for name, *cells in rows]
        return "\n".join([*lines, *self._worst()])

    def _worst(self) -> list[str]:
        """The videos of which the smallest shares are kept."""
        shares = {name: counts[UNITS, KEPT] / counts[UNITS].sum() for name, counts in self.videos.items()}
        worst = sorted((name for name in shares if shares[name] < 1), key=lambda name: (shares[name], name))
        lines = [f"  {printable(name)}: {self._of_video(self.videos[name][UNITS])}" for name in worst[:SHOWN]]
        return lines + ([f"  ... and {len(worst) - SHOWN} more"] if len(worst) > SHOWN else [])

    def _of_video(self, counts: Ints) -> str:
        reasons = sorted((i for i in range(len(REASONS)) if i != KEPT and counts[i]), key=lambda i: (-counts[i], i))
        lost = ", ".join(f"{counts[i]} by {self._in_words(i)}" for i in reasons)
        return f"{counts[KEPT]} of {counts.sum()} {self.criteria.unit}s kept; dropped {lost}"

    def _in_words(self, reason: int) -> str:
        name = REASONS[reason]
        return IN_WORDS.get(name) or f"{flag(name)} {getattr(self.criteria, name)}"
