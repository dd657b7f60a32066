"""Estimates of a video's length in frames. They balance shards and never enter work ids."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from jobs.ledger.video_table import VideoTable
from jobs.planning.answers import Answer
from jobs.records import Entry

BYTES_PER_FRAME = 5_000  # of H.264 at 480p, about 1 Mbit/s: assumed where nothing is done yet
SUFFIX = r"(?P<suffix>\.[^./?]{1,10})(?:\?versionId=[^/]*)?$"  # Arrow's regular expressions and Python's read it alike
MEASURED = ("status", "video", "start", "end", "frames_decoded", "video_bytes")  # columns of `videos/`
SUMS = ("video_bytes_sum", "frames_decoded_sum", "video_count")


@dataclass(frozen=True)
class Rate:
    """Bytes per frame of the video files of one kind."""

    bytes_per_frame: float
    videos: int  # that it was measured on; 0: assumed


@dataclass(frozen=True)
class Rates:
    """Bytes per frame of an archive's video files."""

    of_all: Rate = Rate(BYTES_PER_FRAME, 0)
    by_suffix: Mapping[str, Rate] = field(default_factory=dict)  # such as ".mp4"; the most frequent come first

    def frames(self, entry: Entry, video: Answer) -> int:
        """An estimate of the frames that are segmented of an entry. video: what storage says of it."""
        whole = entry.frames or (video.files if video.files > 1 else self._frames_of_file(entry, video.num_bytes))
        return max(1, entry.frames_in_window(whole))

    def _frames_of_file(self, entry: Entry, num_bytes: int) -> int:
        rate = self.by_suffix.get(_suffix(entry.video), self.of_all) if self.by_suffix else self.of_all
        return int(num_bytes / rate.bytes_per_frame)


ASSUMED = Rates()


def measured_rates(videos: VideoTable) -> Rates:
    """The rates of the video files of an output that were segmented whole. Where there are none, one is assumed."""
    table = videos.columns(MEASURED)
    is_whole = pc.and_(pc.equal(pc.fill_null(table["start"], 0), 0), pc.is_null(table["end"]))
    is_known = pc.and_(pc.greater(table["frames_decoded"], 0), pc.greater(table["video_bytes"], 0))
    is_measured = pc.and_(pc.and_(pc.equal(table["status"], "done"), is_whole), pc.fill_null(is_known, False))
    table = table.filter(is_measured)
    suffix = pc.utf8_lower(pc.struct_field(pc.extract_regex(table["video"], SUFFIX), "suffix"))
    sums = table.append_column("suffix", pc.fill_null(suffix, "")).group_by("suffix")
    rows = sums.aggregate([("video_bytes", "sum"), ("frames_decoded", "sum"), ("video", "count")]).to_pylist()
    rows.sort(key=lambda row: (-row["video_count"], row["suffix"]))
    return Rates(_rate(rows), {row["suffix"]: _rate([row]) for row in rows}) if rows else ASSUMED


def _rate(rows: list[dict[str, Any]]) -> Rate:
    """All bytes over all frames: a long video counts for more than a short one, and one odd video for little."""
    num_bytes, frames, videos = (sum(row[name] for row in rows) for name in SUMS)
    return Rate(num_bytes / frames, videos)


def _suffix(location: str) -> str:
    found = re.search(SUFFIX, location)
    return found["suffix"].lower() if found else ""
