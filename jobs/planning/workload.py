"""How much work there is to do: videos, frames and bytes, and what each figure is based on."""

from collections.abc import Iterable
from dataclasses import dataclass

from jobs.segmenting.work_item import WorkItem


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Sums over the videos that a run would segment. Videos that lack a file cost nothing, and count apart."""

    videos: int = 0
    lacking: int = 0  # videos whose file or prompts are not there
    frames_listed: int = 0  # as the manifest's column `frames` gives them
    frames_counted: int = 0  # images of folders
    frames_estimated: int = 0  # from the bytes of video files
    bytes_to_read: int = 0  # of videos and prompts

    @property
    def frames(self) -> int:
        """All expected frames."""
        return self.frames_listed + self.frames_counted + self.frames_estimated


def workload_of(items: Iterable[WorkItem]) -> Workload:
    """Add up the work of some videos."""
    videos = lacking = listed = counted = estimated = num_bytes = 0
    for item in items:
        if item.not_found:
            lacking += 1
            continue
        videos += 1
        num_bytes += item.bytes_to_read
        if item.entry.frames is not None:
            listed += item.expected_frames
        elif item.video_bytes is None:
            counted += item.expected_frames
        else:
            estimated += item.expected_frames
    return Workload(
        videos=videos,
        lacking=lacking,
        frames_listed=listed,
        frames_counted=counted,
        frames_estimated=estimated,
        bytes_to_read=num_bytes,
    )
