"""The options of each video: those of the run, and above them what the manifest's row sets for its own video."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from jobs.errors import ManifestError, UserError
from jobs.options import fields, option_of
from jobs.planning.config import SegmentConfig
from jobs.records import Entry
from jobs.segmenting.work_item import VideoOptions
from stcn_core.config import HasDefaults

MAX_PROBLEMS = 100  # that a message lists


def option_columns() -> dict[str, bool]:
    """Each option of `stcn segment`, and whether a manifest may set it for a single video."""
    return {name: option_of(field).per_video for name, field in fields(SegmentConfig).items()}


class RowOptions:
    """The options of the videos of one run."""

    def __init__(self, config: SegmentConfig, model: HasDefaults) -> None:
        self._config, self._model = config, model
        self._known: dict[tuple[tuple[str, object], ...], VideoOptions] = {}

    def of(self, entry: Entry) -> VideoOptions:
        """The options of one entry. Raises UserError for values that no run could have."""
        if entry.overrides not in self._known:
            overrides: dict[str, Any] = dict(entry.overrides)
            config = dataclasses.replace(self._config, **overrides)
            self._known[entry.overrides] = config.video_options(self._model)
        return self._known[entry.overrides]

    def check(self, entries: Iterable[Entry]) -> None:
        """Raise ManifestError for the entries that set an option to an illegal value."""
        problems: list[str] = []
        for entry in entries:
            try:
                self.of(entry)
            except UserError as error:
                problems.append(f"video_id {entry.video_id!r}: {error}")
        if problems:
            shown = "\n".join(f"  {problem}" for problem in problems[:MAX_PROBLEMS])
            raise ManifestError(f"{self._config.manifest}: {len(problems)} problems\n{shown}")
