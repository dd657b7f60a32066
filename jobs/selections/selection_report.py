"""The report of a selection: how many units were kept, and how many were dropped for each reason."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jobs.errors import printable
from jobs.options import flag
from jobs.selections.criteria import Criteria
from jobs.selections.judging import KEPT, REASONS, Ints, Units

DESCRIPTIONS = {  # of the reasons that are not flags with a value
    "video": "video not done, or forgotten",
    "empty": "empty mask",
    "prompts": "--no-prompts",
    "events": "--no-events",
}
MAX_LISTED = 10  # videos
HEADING = "dropped by the first of"
UNITS, MASKS = 0, 1  # row indices of the counts


@dataclass
class SelectionReport:
    """Counts by reason: for each video an array (2, REASONS), of units and of masks."""

    criteria: Criteria
    videos: dict[str, Ints] = field(default_factory=dict)

    def add(self, units: Units) -> None:
        """Add the units of a file: those of the videos that are asked for."""
        shape = len(units.video_ids), len(REASONS)
        cell = units.video * len(REASONS) + units.reason
        counts = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
        masks = np.bincount(cell, units.num_masks, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)
        for video_id, *rows in zip(units.video_ids, counts, masks, strict=True):
            if self.criteria.only and video_id not in self.criteria.only:
                continue
            self.videos[video_id] = self.videos.get(video_id, 0) + np.stack(rows)

    @property
    def total(self) -> Ints:
        """The counts of all videos together."""
        return np.sum(list(self.videos.values()), axis=0) if self.videos else np.zeros((2, len(REASONS)), np.int64)

    def kept_masks(self) -> dict[str, int]:
        """Return the number of kept masks of each video with any."""
        kept = {video_id: int(counts[MASKS, KEPT]) for video_id, counts in self.videos.items()}
        return {video_id: masks for video_id, masks in kept.items() if masks}

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as selection.json stores them."""
        total, unit = self.total, f"{self.criteria.unit}s"
        counts_by_reason = [{unit: int(units)} | {"masks": int(masks)} for units, masks in total.T]
        dropped = {name: counts for name, counts in zip(REASONS, counts_by_reason, strict=True) if counts["masks"]}
        kept = dropped.pop("kept", {unit: 0} | {"masks": 0})
        return {"kept": {"videos": len(self.kept_masks()), **kept}, "dropped": dropped}

    def describe(self) -> str:
        """Describe the selection: totals, a line for each reason, and the videos that lost the largest shares."""
        total, unit = self.total, self.criteria.unit
        (units, masks), (kept, kept_masks) = total.sum(axis=1).tolist(), total[:, KEPT].tolist()
        mask_counts = f", {kept_masks} of {masks} masks" if unit != "mask" else ""
        video_counts = f"in {len(self.kept_masks())} of {len(self.videos)} videos"
        lines = [f"kept {kept} of {units} {unit}s{mask_counts}, {video_counts}"]
        if reasons := [i for i in range(len(REASONS)) if i != KEPT and total[MASKS, i]]:
            names = [HEADING, *(self._describe_reason(i) for i in reasons)]
            columns = [[unit + "s", *total[UNITS, reasons]], ["masks", *total[MASKS, reasons]]]
            width, rows = max(map(len, names)), zip(names, *columns[: 1 if unit == "mask" else 2], strict=True)
            lines += ["  ".join([f"  {name:{width}}", *(f"{cell:>9}" for cell in cells)]) for name, *cells in rows]
        return "\n".join([*lines, *self._worst()])

    def _worst(self) -> list[str]:
        """Describe the videos with the smallest kept shares."""
        shares = {name: counts[UNITS, KEPT] / counts[UNITS].sum() for name, counts in self.videos.items()}
        worst = sorted((name for name in shares if shares[name] < 1), key=lambda name: (shares[name], name))
        lines = [
            f"  {printable(name)}: {self._describe_video(self.videos[name][UNITS])}" for name in worst[:MAX_LISTED]
        ]
        return lines + ([f"  ... and {len(worst) - MAX_LISTED} more"] if len(worst) > MAX_LISTED else [])

    def _describe_video(self, counts: Ints) -> str:
        reasons = sorted((i for i in range(len(REASONS)) if i != KEPT and counts[i]), key=lambda i: (-counts[i], i))
        lost = ", ".join(f"{counts[i]} by {self._describe_reason(i)}" for i in reasons)
        return f"{counts[KEPT]} of {counts.sum()} {self.criteria.unit}s kept; dropped {lost}"

    def _describe_reason(self, reason: int) -> str:
        name = REASONS[reason]
        return DESCRIPTIONS.get(name) or f"{flag(name)} {getattr(self.criteria, name)}"
