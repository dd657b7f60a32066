"""The records that pass between the parts of the job: plain, frozen data."""

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["done", "quarantined", "pending"]
EventKind = Literal["vanish", "drift"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One manifest row: what to segment."""

    video_id: str
    video: str  # location of a video file, or of a folder of frames
    prompts: str  # location of masks of any kind in docs/PROMPTS.md
    start: int = 0  # first frame, counted from the video's own first
    end: int | None = None  # frame to stop before; None: the video's end
    # Trees of benchmarks hold the truth of many frames: there only an object's first mask is a prompt.
    first_masks_only: bool = False
    void: int | None = None  # the value of masks that is no object; 0: none is; None: nobody said
    removals: tuple[tuple[int, int], ...] = ()  # object id, and the frame from which on it is gone


@dataclass(frozen=True, kw_only=True)
class WorkItem:
    """An entry with its identity and an estimate of its size."""

    entry: Entry
    work_id: str
    expected_frames: int
    not_found: tuple[str, ...] = ()  # "video" or "prompts" where nothing is


@dataclass(frozen=True)
class Shard:
    """Whole videos that one actor segments and that are committed together."""

    shard_id: str
    items: tuple[WorkItem, ...]

    @property
    def expected_frames(self) -> int:
        return sum(item.expected_frames for item in self.items)


@dataclass(frozen=True)
class TrackEvent:
    """Frames on which something was amiss with an object, the last one included."""

    kind: EventKind
    first_frame: int
    last_frame: int


@dataclass(frozen=True, kw_only=True)
class Track:
    """One object over its whole video."""

    object_id: int
    frames: int  # with a mask that is not empty
    events: tuple[TrackEvent, ...] = ()
    # IoU with its first prompt of what comes back there, carried backward from its last mask; None: not asked for.
    cycle: float | None = None


@dataclass(frozen=True, kw_only=True)
class VideoRow:
    """What became of one entry: a row of `videos/`."""

    video_id: str
    work_id: str
    status: Status
    video: str
    prompts: str
    frames_expected: int | None = None
    frames_decoded: int | None = None
    frames_corrupt: int | None = None
    height: int | None = None
    width: int | None = None
    frames_per_second: float | None = None
    cuts: tuple[int, ...] | None = None  # frames that begin another scene
    objects: int | None = None
    tracks: tuple[Track, ...] | None = None
    masks: int | None = None
    seconds: float | None = None
    attempts: int = 0
    error_class: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None
    masks_file: str | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "VideoRow":
        """The inverse of `dataclasses.asdict`, with lists where there were tuples. Raises TypeError, KeyError."""
        tracks, cuts = values.get("tracks"), values.get("cuts")
        nested = {
            "cuts": None if cuts is None else tuple(cuts),
            "tracks": None if tracks is None else tuple(_track(track) for track in tracks),
        }
        return cls(**{**values, **nested})

    @property
    def damage(self) -> str | None:
        """What is wrong with the frames of a video that is done."""
        missing = (self.frames_expected or 0) - (self.frames_decoded or 0)
        if self.status != "done" or not (missing > 0 or self.frames_corrupt):
            return None
        return f"{self.frames_decoded} of {self.frames_expected} frames decoded, {self.frames_corrupt} damaged"


def _track(values: dict[str, Any]) -> Track:
    return Track(**{**values, "events": tuple(TrackEvent(**event) for event in values["events"])})


# What an actor tells the driver while it works through a shard.


@dataclass(frozen=True)
class VideoStarted:
    """From here on a death of the process is charged to this video."""

    work_id: str


@dataclass(frozen=True)
class FramesDone:
    """Frames segmented since the last report."""

    frames: int


@dataclass(frozen=True)
class VideoFinished:
    """A video is done, or its own error says that it never will be."""

    row: VideoRow


@dataclass(frozen=True)
class VideoFailed:
    """A video raised an error that may not come again."""

    row: VideoRow


@dataclass(frozen=True)
class ShardWritten:
    """The attempt's masks are in storage, whole, but not committed."""

    masks_location: str | None  # None if no video of the shard was done
    num_bytes: int
    sha256: str


Event = VideoStarted | FramesDone | VideoFinished | VideoFailed | ShardWritten
