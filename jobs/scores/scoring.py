"""Score the masks of one video against the truth, frame by frame."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.errors import PromptError
from jobs.inputs.prompts.frame_size import fit
from jobs.inputs.prompts.images.mask_images import VOID
from jobs.inputs.prompts.prompt_builder import MAX_OBJECTS
from jobs.outputs import rle
from jobs.outputs.store import MaskRow
from jobs.outputs.stored_masks import EXTRA_COLUMNS, VideoMasks
from jobs.scores.reported_metrics import TITLES, copy_column, measure
from jobs.scores.rules import Rules
from jobs.scores.tables import FRAMES, ObjectScore
from jobs.scores.true_frames import VideoFrames, frames_of, rows_by_frame
from jobs.scores.truth import Truth
from stcn_core.frames import present_ids
from stcn_core.metrics import statistics


@dataclass(frozen=True)
class VideoScores:
    """The scores of one video."""

    objects: list[ObjectScore]
    frames: Any  # an Arrow table with the schema FRAMES
    too_late: list[tuple[str, int]]  # (video id, object id) first shown on the last frame that counts


def score_video(masks: VideoMasks, truth: Truth, rules: Rules, *, video: VideoFrames | None = None) -> VideoScores:
    """Score each object on each frame that counts, from the frame after its first true mask on.

    video: what is known of its frames. Raises UserError if a mask of the output is damaged, and PromptError for true
    masks that cannot be used, that are of no frame of the video, or whose objects are all others than the output's.
    """
    frames = frames_of(truth.names, masks.rows, video or VideoFrames())
    names = truth.names[:-1] if rules.protocol == "davis" else truth.names
    scored = _Frames(masks, rules)
    found = [row for name in names for row in scored.score(name, frames[name], truth.read(name))]
    _check_objects(masks, scored.seen)
    if not scored.is_void_an_object:
        found = [row for row in found if row["object_id"] != VOID]  # scored before another id appeared
    void = rules.void_rule(scored.has_void, scored.is_void_an_object)
    found.sort(key=lambda row: row["object_id"])  # frames stay in order
    objects = _objects(found, rules.protocol, void)
    too_late = sorted(scored.seen - {score.object_id for score in objects})
    return VideoScores(
        objects, pa.Table.from_pylist(found, schema=FRAMES), [(masks.video_id, object_id) for object_id in too_late]
    )


def _check_objects(masks: VideoMasks, true: set[int]) -> None:
    """Refuse true masks of other objects: their ids are others, or they are of another video."""
    own = {row["object_id"] for row in masks.rows}
    if not true:
        raise PromptError("they hold no object on the frames that count")
    if own and not own & true:
        raise PromptError(
            f"they have the objects {sorted(true)[:5]}, and the output has {sorted(own)[:5]}; legal: the ids of the "
            "output, which are those of the prompts"
        )


class _Frames:
    """Scores frames in order, and keeps the first true mask of each object, encoded."""

    def __init__(self, masks: VideoMasks, rules: Rules) -> None:
        self._masks, self._rows = masks, rows_by_frame(masks.rows)
        self._known = {frame for frame, _ in self._rows}
        self._ignores_void, self._only_given = rules.void == "ignore", rules.only_given
        self._firsts: dict[int, str] = {}  # counts of COCO's RLE
        self.has_void = False
        self.is_void_an_object = True  # until another id appears

    @property
    def seen(self) -> set[int]:
        """Ids of objects with a true mask so far."""
        return set(self._firsts) - (set() if self.is_void_an_object else {VOID})

    def score(self, name: str, frame: int | None, labels: np.ndarray) -> Iterator[dict[str, Any]]:
        """Score the objects that an earlier frame shows; yields a row for each.

        name: of the true mask. frame: its index; None where the output has no mask of it.
        """
        frame = frame if frame in self._known else None
        if self._masks.rows:
            labels = fit(labels, self._masks.rows[0]["height"], self._masks.rows[0]["width"])
        present = set(present_ids(labels))
        void = self._void(labels, present)
        for object_id, first in self._firsts.items():
            row = None if frame is None else self._rows.get((frame, object_id))
            if self._only_given and row is None:
                continue
            copied = rle.decode(first, *labels.shape)
            scores = self._score(row, labels == object_id, copied, void=void)
            yield {"frame_index": frame, "frame_name": name, "object_id": object_id} | scores
        new = sorted(present - set(self._firsts))
        if len(self._firsts) + len(new) > MAX_OBJECTS:
            raise PromptError(f"they hold more than {MAX_OBJECTS} objects; each value of a mask is an object")
        self._firsts |= {i: mask.counts for i, mask in zip(new, rle.encode(labels, new), strict=True)}

    def _void(self, labels: np.ndarray, present: set[int]) -> np.ndarray | None:
        """The pixels to ignore. Removes VOID from `present` once the truth has another id."""
        self.has_void |= VOID in present
        self.is_void_an_object &= present <= {VOID}
        if self.is_void_an_object or VOID not in present:
            return None
        present.remove(VOID)
        return labels == VOID if self._ignores_void else None

    def _score(
        self, row: MaskRow | None, true: np.ndarray, copied: np.ndarray, *, void: np.ndarray | None
    ) -> dict[str, Any]:
        """The values of a row of FRAMES. Without a row in the output, the mask is empty."""
        mask = np.zeros(true.shape, bool) if row is None else self._masks.decode(row)
        copies = {copy_column(column): value for column, value in measure(copied, true, void).items()}
        return {
            "video_id": self._masks.video_id,
            **measure(mask, true, void),
            **copies,
            "area": None if row is None else int(np.count_nonzero(mask)),
            "true_area": int(np.count_nonzero(true)),
            **{name: (row or {}).get(name) for name in EXTRA_COLUMNS},
        }


def _objects(rows: Sequence[Mapping[str, Any]], protocol: str, void: str) -> list[ObjectScore]:
    by_object: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_object.setdefault(row["object_id"], []).append(row)
    return [_object(own, protocol, void) for own in by_object.values()]


def _object(rows: Sequence[Mapping[str, Any]], protocol: str, void: str) -> ObjectScore:
    return ObjectScore(
        video_id=rows[0]["video_id"],
        object_id=rows[0]["object_id"],
        frames=len(rows),
        missing=sum(row["area"] is None for row in rows),
        prompts=sum(bool(row["is_prompt"]) for row in rows),
        statistics={column: statistics([row[column] for row in rows]) for column in TITLES},
        copy_means={column: statistics([row[copy_column(column)] for row in rows]).mean for column in TITLES},
        protocol=protocol,
        void=void,
    )
