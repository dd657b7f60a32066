"""Planning of merges: which small files of masks become one. Pure: no storage, no clock.

A shard leaves a file of a few megabytes, and what lists, opens or plans reads of `masks/` pays for each file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from jobs.ledger.ledger import Ledger

MB = 10**6
SMALLEST, TARGET, LARGEST = 128 * MB, 256 * MB, 512 * MB  # bytes of a merged file


@dataclass(frozen=True)
class StoredFile:
    """A committed file of masks."""

    name: str
    num_bytes: int
    first_video: str  # the lowest id of its videos

    @property
    def is_small(self) -> bool:
        """Whether it is to be merged with others."""
        return self.num_bytes < SMALLEST


Group = Sequence[StoredFile]  # that become one file


def stored_files(ledger: Ledger) -> list[StoredFile]:
    """The committed files that hold masks, in the order of their videos."""
    states = ledger.videos.state_table().select(["masks_file", "video_id"])
    firsts = states.filter(pc.is_valid(states["masks_file"])).group_by("masks_file").aggregate([("video_id", "min")])
    first = dict(zip(firsts["masks_file"].to_pylist(), firsts["video_id_min"].to_pylist(), strict=True))
    files = [StoredFile(n, file.num_bytes, first[n]) for n, file in ledger.files.items() if file and n in first]
    return sorted(files, key=lambda file: (file.first_video, file.name))


def plan_merges(files: Iterable[StoredFile]) -> list[Group]:
    """Group the small files, in the order of their videos, towards TARGET.

    Files of SMALLEST or more stay as they are. What is left over joins the last group: no group exceeds LARGEST, as
    none is above TARGET + SMALLEST before. A group is below SMALLEST only where all small files together are, and no
    group has one file alone. So files of less than SMALLEST remain one at most.
    """
    groups: list[list[StoredFile]] = [[]]
    for file in sorted(filter(lambda file: file.is_small, files), key=lambda file: (file.first_video, file.name)):
        if _size(groups[-1]) >= TARGET:
            groups.append([])
        groups[-1].append(file)
    if len(groups) > 1 and _size(groups[-1]) < SMALLEST:
        rest = groups.pop()
        groups[-1] += rest
    return [group for group in groups if len(group) > 1]


def _size(group: Group) -> int:
    return sum(file.num_bytes for file in group)
