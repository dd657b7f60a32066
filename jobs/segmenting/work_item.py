"""What there is to segment: a manifest's entry with its options, and shards of such entries."""

from dataclasses import dataclass, field

from jobs.inputs.limits import VideoRequirements
from jobs.inputs.prompts.leniency import Leniency
from jobs.records import Entry
from jobs.segmenting.scene_clips import ClipOptions
from stcn_core.config import PropagationConfig


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """The options that change one video's results. A manifest's row may set them for its own video."""

    propagation: PropagationConfig = field(default_factory=PropagationConfig)
    clips: ClipOptions = field(default_factory=ClipOptions)
    leniency: Leniency = field(default_factory=Leniency)
    requirements: VideoRequirements = field(default_factory=VideoRequirements)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkItem:
    """An entry with its options, its work id and an estimate of its length."""

    entry: Entry
    options: VideoOptions = field(default_factory=VideoOptions)
    work_id: str
    expected_frames: int
    video_version: str | None = None  # of the video's content
    video_bytes: int | None = None  # size of the video's file; None for a folder of images
    bytes_to_read: int = 0  # of the video and its prompts, as storage said
    not_found: tuple[str, ...] = ()  # "video" or "prompts", for locations without a file
    is_believed: bool = False  # the identity rests on what storage said at an earlier run


@dataclass(frozen=True)
class Shard:
    """Whole videos that one actor segments, committed together."""

    shard_id: str
    items: tuple[WorkItem, ...]

    @property
    def expected_frames(self) -> int:
        return sum(item.expected_frames for item in self.items)
