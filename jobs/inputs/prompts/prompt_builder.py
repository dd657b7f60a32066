"""The prompts of a video, and the builder that assembles them mask by mask."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.leniency import Leniency
from jobs.inputs.prompts.overlaps import Overlaps
from jobs.records import PromptRead
from stcn_core.frames import present_ids

INT32 = 2**31 - 1
# Memory and time grow with each object. DAVIS has up to 10 in a video. An 8-bit mask holds up to 255 ids; one of
# 16 bits, or one with soft edges, holds up to 65,535.
MAX_OBJECTS = 256
MAX_MASKS = 1_000_000  # of one video
MAX_PIXELS = 2**29  # of all label maps, 2 GB: 1,300 frames at 480p. An RLE of 10 bytes can be as large as a frame
MAX_NAME = 200  # characters
MAX_NOTES, MAX_NOTE = 20, 300  # notes of a video, and characters of each: they are stored in the log
MAX_READ = 100  # prompted frames that a video's row lists
MAX_SOURCES = 3  # that are listed of one frame


@dataclass(frozen=True)
class Prompts:
    """The prompts of a video. Frames are counted from the first of the video, or of its segmented window."""

    labels: dict[int, np.ndarray]  # frame -> label map, int32 (H, W)
    names: dict[int, str] = field(default_factory=dict)  # object id -> name, if it has one
    removals: dict[int, set[int]] = field(default_factory=dict)  # frame -> ids of objects that are gone from it on
    read: tuple[PromptRead, ...] = ()  # what was read, by the video's own frames
    notes: tuple[str, ...] = ()  # what was left out, mended, or chosen


class PromptBuilder:
    """Collects masks of single objects and label maps, and checks each against those before it."""

    def __init__(self, leniency: Leniency | None = None) -> None:
        self.labels: dict[int, np.ndarray] = {}
        self.names: dict[int, str] = {}
        self.ids: set[int] = set()
        self.notes: list[str] = []
        self._leniency = leniency or Leniency()
        self._sources: dict[int, list[str]] = {}  # frame -> where its masks come from
        self._pixels = 0
        self._masks = Overlaps(self._leniency.overlap, self.note)

    @contextmanager
    def annotation(self, whose: str) -> Iterator[None]:
        """Whatever adds one mask: it is refused, or left out with a note if `on_bad_annotation` is skip.

        whose: the mask's file or record, for the note. Raises PromptError.
        """
        try:
            yield
        except PromptError as error:
            if self._leniency.on_bad_annotation != "skip":
                raise PromptError(f"{error} (--on-bad-annotation skip goes on without it)") from error
            self.note(f"{whose} is left out: {error}")

    def note(self, text: str) -> None:
        """Note for the video's row what was left out, mended or chosen. The first MAX_NOTES are kept."""
        text = text if len(text) <= MAX_NOTE else f"{text[: MAX_NOTE - 4]} ..."
        if len(self.notes) < MAX_NOTES and text not in self.notes:
            self.notes.append(text)

    def read(self) -> tuple[PromptRead, ...]:
        """The first prompted frames, their objects and sources, in order."""
        return tuple(
            PromptRead(
                frame=frame,
                objects=tuple(present_ids(self.labels[frame])),
                source=self.source_of(frame),
            )
            for frame in sorted(self.labels)[:MAX_READ]
        )

    def source_of(self, frame: int) -> str:
        """Where the masks of a frame come from."""
        sources = list(dict.fromkeys(self._sources[frame]))
        return ", ".join(sources[:MAX_SOURCES]) + (", ..." if len(sources) > MAX_SOURCES else "")

    def put_labels(self, frame: int, labels: np.ndarray, *, source: str = "") -> None:
        """Add all masks of a frame as a label map (H, W). source: their file or record. Raises PromptError."""
        if ids := present_ids(labels):
            self._begin(frame, labels.shape)
            self._add_objects(ids)
            self.labels[frame] = labels
            self._sources[frame] = [source]

    def put(self, frame: int, object_id: int, mask: np.ndarray, *, source: str = "") -> None:
        """Add one object's mask, boolean (H, W). An empty mask is no prompt: the object is not visible.

        Where masks overlap a little, the higher id gets the pixel, or the object that `overlap` says. source: the
        mask's file or record. Raises PromptError.
        """
        if not 1 <= object_id <= INT32:
            raise PromptError(f"an object's id is {object_id}; legal: 1 to {INT32}, 0 is where no object is")
        if (frame, object_id) in self._masks:
            raise PromptError(f"object {object_id} has two masks on frame {frame}; legal: one")
        if len(self._masks) == MAX_MASKS:
            raise PromptError(f"there are more than {MAX_MASKS:,} masks; legal: up to that many for a video")
        if frame in self.labels and self.labels[frame].shape != mask.shape:
            sizes = self.labels[frame].shape, mask.shape
            raise PromptError(
                f"masks of frame {frame} are of different sizes, {sizes} (height, width); legal: one size"
            )
        area = int(np.count_nonzero(mask))
        before = self.labels[frame][mask] if frame in self.labels else np.zeros(area, np.int32)
        pixels = self._masks.add(frame, object_id, area, before=before)
        if not area:
            return
        if frame not in self.labels:
            self._begin(frame, mask.shape)
        self._add_objects([object_id])
        labels = self.labels.setdefault(frame, np.zeros(mask.shape, np.int32))
        labels[mask] = pixels
        if before.any():
            for covered in {object_id, *np.unique(before[before > 0]).tolist()}:
                if not (labels == covered).any():
                    self.note(f"object {covered} has no pixel left on frame {frame}, where others are in front of it")
        self._sources.setdefault(frame, []).append(source)

    def name(self, object_id: int, name: str) -> None:
        """Name an object. Raises PromptError for a second name, or for one that no table can hold."""
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise PromptError(
                f"object {object_id} is called {name[:MAX_NAME]!a}; legal: 1 to {MAX_NAME} characters that can be shown"
            )
        if (other := self.names.setdefault(object_id, name)) != name:
            raise PromptError(f"object {object_id} is called both {other!a} and {name!a}; legal: one name an object")

    def _begin(self, frame: int, shape: tuple[int, ...]) -> None:
        if not 0 <= frame <= INT32:
            raise PromptError(f"a mask is of frame {frame}; legal: 0 to {INT32}")
        self._pixels += int(np.prod(shape))
        if self._pixels > MAX_PIXELS:
            raise PromptError(
                f"the masks of {len(self.labels) + 1:,} frames have {self._pixels:,} pixels; legal: up to "
                f"{MAX_PIXELS:,} for a video. Prompt fewer frames: the first mask of each object, and corrections"
            )

    def _add_objects(self, ids: list[int]) -> None:
        known = self.ids | set(ids)
        if len(known) > MAX_OBJECTS:
            raise PromptError(
                f"the prompts hold {len(known):,} objects or more; legal: up to {MAX_OBJECTS} in a video. Each "
                "value of a mask is an object, and so is each id in a file: look for soft edges or noise, or for ids "
                "that change from frame to frame; or split the objects over several video ids"
            )
        self.ids = known
