"""A video's prompts, and how they are put together of masks as those are read."""

from dataclasses import dataclass, field

import numpy as np

from jobs.errors import PromptError
from stcn_core.frames import present_ids

INT32 = 2**31 - 1
# Memory and time grow with each object. DAVIS has up to 10 in a video, and an 8-bit mask cannot say more than
# 255; one of 16 bits, or soft edges in it, can say 65,535.
MAX_OBJECTS = 256
MAX_MASKS = 1_000_000  # of one video
MAX_PIXELS = 2**29  # of all label maps, 2 GB: 1,300 frames at 480p; a mask of 10 bytes can claim a frame's size
# Outlines of neighbours share edge pixels. Of one mask, more than this share is two masks of one thing, or parts of it.
MAX_OVERLAP = 0.05
MAX_NAME = 200  # characters


@dataclass(frozen=True)
class Prompts:
    """What is given of a video, its frames counted from the video's own first or from that of its window."""

    labels: dict[int, np.ndarray]  # frame -> label map, int32 (H, W)
    names: dict[int, str] = field(default_factory=dict)  # object id -> what it is called, where something says that
    removals: dict[int, set[int]] = field(default_factory=dict)  # frame -> objects gone from there on


class PromptBuilder:
    """Masks of one object or label maps of all, each checked against those before it."""

    def __init__(self) -> None:
        self.labels: dict[int, np.ndarray] = {}
        self.names: dict[int, str] = {}
        self.ids: set[int] = set()
        self._pixels = 0
        self._areas: dict[tuple[int, int], int] = {}  # frame and object -> pixels of the mask as given
        self._shared: dict[tuple[int, int], int] = {}  # those that other objects have too

    def put_labels(self, frame: int, labels: np.ndarray) -> None:
        """All masks of a frame, as a label map (H, W). Raises PromptError."""
        if ids := present_ids(labels):
            self._begin(frame, labels.shape)
            self.labels[frame] = labels
            self._add_objects(ids)

    def put(self, frame: int, object_id: int, mask: np.ndarray) -> None:
        """One object's mask, boolean (H, W); an empty one, of an object that is not visible, is no prompt.

        Where masks overlap a little, the higher id has the pixel. Raises PromptError.
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
        """Say what an object is called. Raises PromptError for two names, or one that no table can hold."""
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
        """Count the pixels that are of other objects too, and refuse many. before: ids under the mask, 0 for none."""
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
