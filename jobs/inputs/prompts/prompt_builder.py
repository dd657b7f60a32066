"""The prompts of a video, and the builder that assembles them mask by mask."""

from dataclasses import dataclass, field

import numpy as np

from jobs.errors import PromptError
from stcn_core.frames import present_ids

INT32 = 2**31 - 1
# Memory and time grow with each object. DAVIS has up to 10 in a video. An 8-bit mask holds up to 255 ids; one of
# 16 bits, or one with soft edges, holds up to 65,535.
MAX_OBJECTS = 256
MAX_MASKS = 1_000_000  # of one video
MAX_PIXELS = 2**29  # of all label maps, 2 GB: 1,300 frames at 480p. An RLE of 10 bytes can be as large as a frame
# Masks of neighbours share pixels along edges. If more than this share of a mask is shared, both show one thing.
MAX_OVERLAP = 0.05
MAX_NAME = 200  # characters


@dataclass(frozen=True)
class Prompts:
    """The prompts of a video. Frames are counted from the first of the video, or of its segmented window."""

    labels: dict[int, np.ndarray]  # frame -> label map, int32 (H, W)
    names: dict[int, str] = field(default_factory=dict)  # object id -> name, if it has one
    removals: dict[int, set[int]] = field(default_factory=dict)  # frame -> ids of objects that are gone from it on


class PromptBuilder:
    """Collects masks of single objects and label maps, and checks each against those before it."""

    def __init__(self) -> None:
        self.labels: dict[int, np.ndarray] = {}
        self.names: dict[int, str] = {}
        self.ids: set[int] = set()
        self._pixels = 0
        self._areas: dict[tuple[int, int], int] = {}  # (frame, object id) -> pixels of the mask as given
        self._shared: dict[tuple[int, int], int] = {}  # (frame, object id) -> pixels that other masks have, too

    def put_labels(self, frame: int, labels: np.ndarray) -> None:
        """Add all masks of a frame as a label map (H, W). Raises PromptError."""
        if ids := present_ids(labels):
            self._begin(frame, labels.shape)
            self.labels[frame] = labels
            self._add_objects(ids)

    def put(self, frame: int, object_id: int, mask: np.ndarray) -> None:
        """Add one object's mask, boolean (H, W). An empty mask is no prompt: the object is not visible.

        Where masks overlap a little, the higher id gets the pixel. Raises PromptError.
        """
        if not 1 <= object_id <= INT32:
            raise PromptError(f"an object's id is {object_id}; legal: 1 to {INT32}, 0 is where no object is")
        if (frame, object_id) in self._areas:
            raise PromptError(f"object {object_id} has two masks on frame {frame}; legal: one")
        if len(self._areas) == MAX_MASKS:
            raise PromptError(f"there are more than {MAX_MASKS:,} masks; legal: up to that many for a video")
        area = self._areas[frame, object_id] = int(np.count_nonzero(mask))
        if not area:
            return
        if frame not in self.labels:
            self._begin(frame, mask.shape)
            self.labels[frame] = np.zeros(mask.shape, np.int32)
        elif self.labels[frame].shape != mask.shape:
            sizes = self.labels[frame].shape, mask.shape
            raise PromptError(
                f"masks of frame {frame} are of different sizes, {sizes} (height, width); legal: one size"
            )
        self._add_objects([object_id])
        before = self.labels[frame][mask]
        self._share(frame, object_id, before)
        self.labels[frame][mask] = np.maximum(before, object_id)

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
        self.ids.update(ids)
        if len(self.ids) > MAX_OBJECTS:
            raise PromptError(
                f"the prompts hold {len(self.ids):,} objects or more; legal: up to {MAX_OBJECTS} in a video. Each "
                "value of a mask is an object, and so is each id in a file: look for soft edges or noise, or for ids "
                "that change from frame to frame; or split the objects over several video ids"
            )

    def _share(self, frame: int, object_id: int, before: np.ndarray) -> None:
        """Count pixels shared with other masks, and refuse too many. before: ids under the mask, 0 for none."""
        others, counts = np.unique(before[before > 0], return_counts=True)
        for other, count in zip(others.tolist(), counts.tolist(), strict=True):
            for key in ((frame, object_id), (frame, other)):
                self._shared[key] = self._shared.get(key, 0) + count
                share = self._shared[key] / self._areas[key]
                if share > MAX_OVERLAP:
                    raise PromptError(
                        f"masks of the objects {other} and {object_id} overlap on frame {frame}: {share:.0%} of "
                        f"{key[1]}'s is shared; legal: up to {MAX_OVERLAP:.0%}, which go to the higher id, as a pixel "
                        "is of one object. Cut the front one's mask out of the other's, or leave one of them out"
                    )
