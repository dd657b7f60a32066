"""Units of an export: each is written under a hidden name, moved into place when complete, and noted in the journal."""

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


@dataclass(kw_only=True)
class ExportSummary:
    """Summary of an export."""

    masks: int = 0
    frames: int = 0
    warnings: dict[str, str] = field(default_factory=dict)  # video id -> warning
    failures: dict[str, str] = field(default_factory=dict)  # video id -> why its frames are missing
    targets: set[str] = field(default_factory=set)  # paths below the destination


class ExportUnit(Protocol):
    """Work that an export does once."""

    def run(self, files: Sequence[MasksFile], journal: Journal, summary: ExportSummary) -> int:
        """Write what is missing; returns the number of masks or frames in all.

        Adds targets, warnings and failures to `summary`.
        """


@dataclass(frozen=True, kw_only=True)
class VideoExport:
    """One video, and where to write it."""

    file: MasksFile
    video_id: str
    batches: Iterator[MaskBatch]  # all masks of the video, in order
    path: Path  # of the file or folder to create


@dataclass(frozen=True)
class Written:
    """What `write` wrote for one video."""

    count: int  # masks or frames
    warning: str | None = None


@dataclass(frozen=True, kw_only=True)
class PerVideoUnit:
    """A file or a folder for each video."""

    place: str  # path below the destination, with {} for the video's name
    columns: tuple[str, ...]  # of the masks that `write` reads, beside those that sort them
    write: Callable[[VideoExport], Written]

    def run(self, files: Sequence[MasksFile], journal: Journal, summary: ExportSummary) -> int:
        """Write the videos that are missing; returns what `write` counted in all."""
        return sum(self._run_file(file, journal, summary) for file in files)

    def _run_file(self, file: MasksFile, journal: Journal, summary: ExportSummary) -> int:
        """Write the videos of one file. The file is not even opened if all of them are complete."""
        unit, key = f"{self.place} of {storage.name_of(file.info.location)}", file.identity
        done = journal.result(unit, key)
        if not done or not all((journal.dest / target).exists() for target in done["videos"]):
            failures_before = len(summary.failures)
            done = self._write_videos(file, journal, summary)
            if len(summary.failures) == failures_before:
                journal.record(unit, key, done)
        summary.targets |= done["videos"].keys()
        summary.warnings |= done["warnings"]
        return sum(done["videos"].values())

    def _write_videos(self, file: MasksFile, journal: Journal, summary: ExportSummary) -> Result:
        """Write each video that is not complete; returns the count by target, and the warnings."""
        done: Result = {"videos": {}, "warnings": {}}
        for video_id, batches in file.videos(*self.columns):
            interrupt.check()
            target = self.place.format(file_name(video_id))
            if target in summary.targets:
                raise file.damaged(f"video {video_id!r} is in another file, too")
            summary.targets.add(target)
            try:
                result = self._write_video(file, video_id, batches, target=target, journal=journal)
            except VideoError as error:
                summary.failures[video_id] = str(error)
                continue
            done["videos"][target] = result["count"]
            if result["warning"]:
                done["warnings"][video_id] = result["warning"]
        return done

    def _write_video(
        self, file: MasksFile, video_id: str, batches: Iterator[MaskBatch], *, target: str, journal: Journal
    ) -> Result:
        key = [file.identity, video_id]
        result = journal.completed(target, key)
        if result is None:
            with journal.writing(target) as path:
                written = self.write(VideoExport(file=file, video_id=video_id, batches=batches, path=path))
            result = {"count": written.count, "warning": written.warning}
            journal.record(target, key, result)
        return result
