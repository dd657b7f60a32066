"""Records that the parts of the job exchange: plain, frozen data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Status = Literal["done", "quarantined", "pending", "forgotten"]  # the last one in the ledger alone
EventKind = Literal["vanish", "drift"]
# Reading a video's header and prompts, and the passes over it. "scan" reads ahead: to find scene cuts, or to read the
# video backward afterwards.
Phase = Literal["opening", "scan", "backward pass", "forward pass", "cycle check"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A manifest row: one video to segment, and its prompts."""

    video_id: str
    video: str  # location of a video file, or of a folder of frames
    prompts: str  # location of masks, in any format of docs/PROMPTS.md
    start: int = 0  # first frame, counted from the video's first
    end: int | None = None  # exclusive; None: the video's end
    # Benchmark trees hold the truth of many frames; in these, only each object's first mask is a prompt.
    first_masks_only: bool = False
    void: int | None = None  # mask value of void pixels; 0: every value is an object; None: not specified
    removals: tuple[tuple[int, int], ...] = ()  # object id, and the first frame without the object
    first_frame: int = 0  # the number that names of masks give the video's first frame
    mask_names: str | None = None  # pattern of the names of masks, such as "*_{frame}_{object}"; None: recognised
    overrides: tuple[tuple[str, object], ...] = ()  # options of the run that the row sets for its video
    # What the manifest knows of the video, in place of what storage would be asked. None: not given.
    video_bytes: int | None = None  # size of the video's file; with `video_etag`, or neither is given
    video_etag: str | None = None  # of the file in S3, without quotes
    frames: int | None = None  # of the whole video, for scheduling alone

    def frames_in_window(self, frames: int) -> int:
        """The number of frames from `start` to `end`, of a video with so many frames."""
        return max(0, (frames if self.end is None else min(frames, self.end)) - self.start)


@dataclass(frozen=True)
class TrackEvent:
    """A range of frames, both ends included, on which an object vanished or its mask drifted."""

    kind: EventKind
    first_frame: int
    last_frame: int


@dataclass(frozen=True, kw_only=True)
class Track:
    """Statistics of one object over its whole video."""

    object_id: int
    frames: int  # number of frames with a mask that is not empty
    events: tuple[TrackEvent, ...] = ()
    # IoU of the first prompt with the mask carried back to it from the last mask; None: not computed.
    cycle: float | None = None


@dataclass(frozen=True, kw_only=True)
class PromptRead:
    """A prompted frame as it was understood, to be looked at afterwards."""

    frame: int
    objects: tuple[int, ...]  # ids of the objects that are masked on it
    source: str  # where the masks are: a file's name below `prompts`, or the records of a JSON


@dataclass(frozen=True, kw_only=True)
class VideoRow:
    """The outcome of one entry: a row of `videos/`."""

    video_id: str
    work_id: str
    status: Status
    video: str
    prompts: str
    video_version: str | None = None  # digest of what storage said of the video's content
    video_bytes: int | None = None  # size of the video's file; None for a folder of images
    start: int | None = None  # first segmented frame; None in outputs of earlier versions
    end: int | None = None  # exclusive; None: the video's end
    frames_expected: int | None = None
    frames_decoded: int | None = None
    frames_corrupt: int | None = None
    height: int | None = None
    width: int | None = None
    pixel_aspect: float | None = None  # width of a pixel divided by its height; 1.0: square
    frames_per_second: float | None = None
    cuts: tuple[int, ...] | None = None  # frames that begin a new scene
    objects: int | None = None
    tracks: tuple[Track, ...] | None = None
    prompts_read: tuple[PromptRead, ...] | None = None
    notes: tuple[str, ...] | None = None  # what was mended, left out or chosen among several
    masks: int | None = None
    seconds: float | None = None
    attempts: int = 0
    run: str | None = None  # name of the run that settled it
    error_class: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None
    masks_file: str | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "VideoRow":
        """Invert `dataclasses.asdict`; lists may stand in place of tuples. Raises TypeError or KeyError."""
        nested = {
            name: tuple(map(read, values[name])) for name, read in _NESTED.items() if values.get(name) is not None
        }
        return cls(**{**values, **nested})

    @property
    def damage(self) -> str | None:
        """A description of the missing and damaged frames of a done video; None if there are none."""
        return damage_of(self)


class FrameCounts(Protocol):
    """The part of a row that says whether its video is damaged."""

    @property
    def status(self) -> str: ...
    @property
    def frames_expected(self) -> int | None: ...
    @property
    def frames_decoded(self) -> int | None: ...
    @property
    def frames_corrupt(self) -> int | None: ...


def damage_of(row: FrameCounts) -> str | None:
    """A description of the missing and damaged frames of a done video; None if there are none."""
    missing = (row.frames_expected or 0) - (row.frames_decoded or 0)
    if row.status != "done" or not (missing > 0 or row.frames_corrupt):
        return None
    return f"{row.frames_decoded} of {row.frames_expected} frames decoded, {row.frames_corrupt} damaged"


def _track(values: dict[str, Any]) -> Track:
    return Track(**{**values, "events": tuple(TrackEvent(**event) for event in values["events"])})


def _prompt_read(values: dict[str, Any]) -> PromptRead:
    return PromptRead(**{**values, "objects": tuple(values["objects"])})


# Fields of a VideoRow that hold several values, and how each value is read.
_NESTED: dict[str, Callable[[Any], object]] = {
    "cuts": int,
    "tracks": _track,
    "prompts_read": _prompt_read,
    "notes": str,
}

# Events that an actor reports to the driver while it works on a shard.


@dataclass(frozen=True)
class VideoStarted:
    """A video was started: from now on, the death of the process is charged to it, or to others that are under way."""

    work_id: str


@dataclass(frozen=True)
class VideoOpened:
    """A video's container says how many of its frames are to be segmented."""

    frames: int
    work_id: str | None = None  # None: of the video that was started last


@dataclass(frozen=True)
class FramesDone:
    """There was progress on a video since its last report, also where no frame was segmented."""

    frames: int  # segmented; each frame of a video counts once, by halves where two passes go over it
    frames_again: int = 0  # gone through by passes that make no masks: scans and cycle checks
    phase: Phase = "forward pass"  # the present one
    work_id: str | None = None  # None: of the video that was started last


@dataclass(frozen=True)
class VideoFinished:
    """A video is settled: done, or failed with an error of its own that a retry cannot cure."""

    row: VideoRow


@dataclass(frozen=True)
class VideoFailed:
    """A video failed with an error that may not recur."""

    row: VideoRow


@dataclass(frozen=True)
class ShardWritten:
    """The attempt's masks are complete in storage, but not committed."""

    masks_location: str | None  # None if no video of the shard was done
    num_bytes: int
    sha256: str


NO_MASKS = ShardWritten(None, 0, "")


@dataclass(frozen=True)
class ShardHandedOver:
    """The finished videos of a shard whose actor was told to stop. They are committed like a whole shard."""

    attempt: str  # its folder
    rows: tuple[VideoRow, ...]
    written: ShardWritten


Event = VideoStarted | VideoOpened | FramesDone | VideoFinished | VideoFailed | ShardWritten
