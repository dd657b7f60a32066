"""Work that is done once: each unit is made where nobody reads, moved into place, and noted in the journal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from jobs.concurrency import interrupt
from jobs.errors import VideoError
from jobs.exports.journal import Journal, Result
from jobs.exports.mask_batches import MaskBatch, MasksFile
from jobs.io import storage
from jobs.outputs.file_names import file_name

Write = Callable[[MasksFile, str, Iterator[MaskBatch], Path], tuple[int, str | None]]


@dataclass(kw_only=True)
class ExportSummary:
    """What an export came to."""

    masks: int = 0
    frames: int = 0
    warnings: dict[str, str] = field(default_factory=dict)  # by video
    failures: dict[str, str] = field(default_factory=dict)  # by video: why its frames are not there
    targets: set[str] = field(default_factory=set)  # paths below the destination


class ExportUnit(Protocol):
    """Something that an export writes."""

    def run(self, files: Sequence[MasksFile], journal: Journal, exported: ExportSummary) -> int:
        """Do what is not done; returns how many masks or frames there are in all. Says in `exported` what was amiss."""


@dataclass(frozen=True)
class PerVideoUnit:
    """A file or a folder for each video."""

    place: str  # path below the destination, with {} for the video's name
    columns: tuple[str, ...]
    write: Write

    def run(self, files: Sequence[MasksFile], journal: Journal, exported: ExportSummary) -> int:
        """Do what is not done; returns what `write` counted in all."""
        return sum(self._file(file, journal, exported) for file in files)

    def _file(self, file: MasksFile, journal: Journal, exported: ExportSummary) -> int:
        """The videos of one file, which is not even opened if all are there."""
        unit, key = f"{self.place} of {storage.name_of(file.info.location)}", file.identity
        done = journal.result(unit, key)
        if not done or not all((journal.dest / target).exists() for target in done["videos"]):
            done = {"videos": {}, "warnings": {}}
            failed = len(exported.failures)
            for video_id, batches in file.videos(*self.columns):
                interrupt.check()
                target = self.place.format(file_name(video_id))
                if target in exported.targets:
                    raise file.damaged(f"video {video_id!r} is in another file, too")
                exported.targets.add(target)
                try:
                    result = self._video(file, video_id, batches, target=target, journal=journal)
                except VideoError as error:
                    exported.failures[video_id] = str(error)
                    continue
                done["videos"][target] = result["count"]
                if result["warning"]:
                    done["warnings"][video_id] = result["warning"]
            if len(exported.failures) == failed:
                journal.record(unit, key, done)
        exported.targets |= done["videos"].keys()
        exported.warnings |= done["warnings"]
        return sum(done["videos"].values())

    def _video(
        self, file: MasksFile, video_id: str, batches: Iterator[MaskBatch], *, target: str, journal: Journal
    ) -> Result:
        key = [file.identity, video_id]
        result = journal.made(target, key)
        if result is None:
            with journal.making(target) as path:
                count, warning = self.write(file, video_id, batches, path)
            result = {"count": count, "warning": warning}
            journal.record(target, key, result)
        return result
