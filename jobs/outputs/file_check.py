"""The check of one committed file of masks: its digest, the order of its rows, and whose masks it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.io import storage
from jobs.outputs import store
from jobs.outputs.mask_order import KEY, first_disorder


@dataclass(frozen=True, kw_only=True)
class FileCheck:
    """What was found in a file."""

    masks: int | None = None  # None: the file is not there
    problems: list[str] = field(default_factory=list)  # what follows the file's name in a sentence
    note: str | None = None
    is_noted: bool = False  # it was sound earlier, as a journal notes, and was not read again

    @property
    def is_sound(self) -> bool:
        """Whether the file is there, with nothing wrong."""
        return self.masks is not None and not self.problems


class HeldVideos:
    """For each file of masks the videos that it holds, with their numbers of masks, from the states of all videos."""

    def __init__(self, states: Any) -> None:
        """states: an Arrow table with the columns `video_id`, `masks_file` and `masks`."""
        held = states.select(["masks_file", "video_id", "masks"]).filter(pc.is_valid(states["masks_file"]))
        self._held = held.sort_by("masks_file").combine_chunks()
        files = self._held["masks_file"].combine_chunks() if len(held) else pa.array([], pa.string())
        ends = pc.run_end_encode(files)
        self._slices = {}
        start = 0
        for name, end in zip(ends.values.to_pylist(), ends.run_ends.to_pylist(), strict=True):
            self._slices[name] = (start, end - start)
            start = end

    def of(self, file: str) -> dict[str, int | None]:
        """Video id -> its number of masks, of one file."""
        here = self._held.slice(*self._slices.get(file, (0, 0)))
        return dict(zip(here["video_id"].to_pylist(), here["masks"].to_pylist(), strict=True))


def check_file(content: bytes, sha256: str, held: Mapping[str, int | None]) -> FileCheck:
    """Check a file's content against its committed digest, and against the videos that the log places in it."""
    if storage.sha256(content) != sha256:
        text = "is not what was committed: delete it, and the same `stcn segment` makes it again"
        return FileCheck(masks=0, problems=[text])
    try:
        table = store.parse(content, KEY)
    except pa.ArrowInvalid as error:
        return FileCheck(masks=0, problems=[f"is no Parquet: {error}"])
    videos = table["video_id"].combine_chunks().dictionary_encode()
    numbers = np.asarray(videos.indices).astype(np.int64)
    ids: list[str] = videos.dictionary.to_pylist()
    problems = []
    frame, object_id = (table[name].to_numpy().astype(np.int64) for name in KEY[1:])
    if ids != sorted(ids) or first_disorder(numbers, frame, object_id) is not None:
        problems.append("has rows out of order, or twice")
    counts = dict(zip(ids, np.bincount(numbers, minlength=len(ids)).tolist(), strict=True))
    return FileCheck(masks=len(table), problems=[*problems, *_compare(counts, held)])


def _compare(counts: Mapping[str, int], held: Mapping[str, int | None]) -> list[str]:
    """Problems of the videos in a file. counts: masks of each; held: what the log says."""
    problems = []
    for video_id, count in counts.items():
        if video_id not in held:
            problems.append(f"has masks of video {video_id!r}, which the log does not place there")
        elif held[video_id] != count:
            problems.append(f"has {count} masks of video {video_id!r}, the log says {held[video_id]}")
    return problems + [f"lacks the masks of video {video_id!r}" for video_id in sorted(set(held) - set(counts))]
