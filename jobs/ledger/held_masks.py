"""The files that hold an output's masks, for readers: each mask once, also while a run replaces or merges files.

A listing of `masks/` would lack what is just being published. So the files are those of one state of the ledger, each
with its videos. Where a file is gone, the ledger is asked again, and those videos are read from the files that hold
them now. A selection, or masks that other tools wrote, has no ledger: its files are listed, and never change.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

from jobs.concurrency import interrupt
from jobs.errors import UserError
from jobs.io import storage
from jobs.io.storage import FileInfo
from jobs.ledger.ledger import Ledger
from jobs.ledger.published import MASKS
from jobs.outputs import store
from jobs.outputs.file_check import HeldVideos

# In which a file that is committed has to be there: a copy of 512 MB within a store takes a few seconds.
PUBLISHING_SECONDS = 30.0
ASK_AGAIN_SECONDS = 0.2

T = TypeVar("T")


@dataclass(frozen=True)
class HeldFile:
    """A file of masks, and the videos that are to be read from it."""

    info: FileInfo
    video_ids: frozenset[str] | None  # None: all that are in it; nothing says which these are

    def has(self, video_id: str) -> bool:
        """Whether a video is to be read from it."""
        return self.video_ids is None or video_id in self.video_ids


class HeldMasks:
    """The files of masks of an output or a selection, in the order of their names."""

    def __init__(self, output: str, only: Collection[str] | None = None) -> None:
        """only: ids of the videos to read; None: all. Raises UserError for no run, or an unfinished selection."""
        self.output = output
        ledger = Ledger(output)
        self._ledger = ledger if ledger.run or ledger.files else None
        self.is_listed = self._ledger is None  # without a ledger
        chosen = None if only is None else frozenset(only)
        if self.is_listed:
            self.files = [HeldFile(info, chosen) for info in store.mask_files(output)]
            return
        held = HeldVideos(ledger.videos.state_table())
        files = (HeldFile(self._info(name), frozenset(held.of(name))) for name in sorted(ledger.files))
        self.files = [file for file in files if file.video_ids and (chosen is None or file.video_ids & chosen)]
        if chosen is not None:
            self.files = [HeldFile(file.info, file.video_ids & chosen) for file in self.files if file.video_ids]

    def read(self, file: HeldFile, read: Callable[[FileInfo], T]) -> Iterator[tuple[HeldFile, T]]:
        """Read a file, or those that hold its videos by now. Yields the videos that were read, with what `read` gave.

        read: raises FileNotFoundError if the file is gone. Videos that have no masks any more are passed by; those that
        were segmented anew come with their new masks. Raises UserError for a file that is committed, and does not come.
        """
        waiting, deadline = deque([file]), 0.0
        while waiting:
            part = waiting.popleft()
            try:
                found = read(part.info)
            except FileNotFoundError:
                now = self._holders(part)
                if now == [part]:
                    deadline = deadline or time.monotonic() + PUBLISHING_SECONDS
                    self._wait(part, deadline)
                waiting.extendleft(reversed(now))
                continue
            deadline = 0.0
            yield part, found

    def _holders(self, part: HeldFile) -> list[HeldFile]:
        """The files that hold some videos by now."""
        if self._ledger is None or part.video_ids is None:
            raise self.gone(part.info)
        self._ledger.refresh()
        videos: dict[str, set[str]] = {}
        for video_id in part.video_ids:
            if (name := self._ledger.videos.masks_file(video_id)) is not None:
                videos.setdefault(name, set()).add(video_id)
        return [HeldFile(self._info(name), frozenset(ids)) for name, ids in sorted(videos.items())]

    def gone(self, info: FileInfo) -> UserError:
        """The error for a file that is not there any more."""
        return UserError(f"{info.location} is gone: a run may have replaced it; open {self.output} again")

    def _wait(self, part: HeldFile, deadline: float) -> None:
        """Wait a moment for a file that is committed. Raises UserError after the deadline."""
        if time.monotonic() > deadline:
            raise UserError(
                f"{part.info.location} is committed, and not there: a run that ended too soon has not published it, or "
                f"it was deleted; `stcn compact {self.output}` or the same `stcn segment` mends that"
            )
        interrupt.sleep(ASK_AGAIN_SECONDS)

    def _info(self, name: str) -> FileInfo:
        assert self._ledger is not None
        file = self._ledger.files[name]
        location = storage.join(self.output, MASKS, name)
        return FileInfo(location, file.num_bytes, file.sha256) if file else FileInfo(location, 0, "")
