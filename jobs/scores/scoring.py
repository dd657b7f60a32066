"""Score the masks of one video against the truth, frame by frame."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.errors import PromptError, UserError
from jobs.inputs.prompts.frame_size import fit
from jobs.inputs.prompts.images.mask_images import VOID
from jobs.inputs.prompts.prompt_builder import MAX_OBJECTS
from jobs.outputs import rle
from jobs.outputs.store import MaskRow
from jobs.outputs.stored_masks import EXTRA_COLUMNS, VideoMasks
from jobs.scores.reported_metrics import TITLES, copy_column, measure
from jobs.scores.rules import Rules
from jobs.scores.tables import FRAMES, ObjectScore
from jobs.scores.truth import Truth
from stcn_core.frames import present_ids
from stcn_core.metrics import statistics


@dataclass(frozen=True)
class VideoScores:
    """The scores of one video."""

    objects: list[ObjectScore]
    frames: Any  # an Arrow table with the schema FRAMES
    too_late: list[tuple[str, int]]  # (video id, object id) first shown on the last frame that counts


def score_video(masks: VideoMasks, truth: Truth, rules: Rules, *, frames: int | None = None) -> VideoScores:
    """Score each object on each frame that counts, from the frame after its first true mask on.

    frames: of a video file, up to which its true masks are numbered; None: not known. Raises UserError if no true mask
    has the name of one of the video's frames, or one is after its end, or if a mask is damaged. Raises PromptError for
    unusable true masks.
    """
    rows = _match(masks.rows, truth.names)
    _check_numbers(masks, truth.names, frames)
    if rows and truth.names and not set(truth.names) & {name for name, _ in rows}:
        raise UserError(
            f"--truth: no true mask of {masks.video_id!r} has the name of one of its frames, but "
            f"{list(truth.names[:3])} ..."
        )
    names = truth.names[:-1] if rules.protocol == "davis" else truth.names
    scored = _Frames(masks, rows, rules)
    found = [row for name in names for row in scored.score(name, truth.read(name))]
    if not scored.is_void_an_object:
        found = [row for row in found if row["object_id"] != VOID]  # scored before another id appeared
    void = rules.void_rule(scored.has_void, scored.is_void_an_object)
    found.sort(key=lambda row: row["object_id"])  # frames stay in order
    objects = _objects(found, rules.protocol, void)
    too_late = sorted(scored.seen - {score.object_id for score in objects})
    return VideoScores(
        objects, pa.Table.from_pylist(found, schema=FRAMES), [(masks.video_id, object_id) for object_id in too_late]
    )


class _Frames:
    """Scores frames in order, and keeps the first true mask of each object, encoded."""

    def __init__(self, masks: VideoMasks, rows: Mapping[tuple[str, int], MaskRow], rules: Rules) -> None:
        self._masks, self._rows = masks, rows
        self._index = {name: row["frame_index"] for (name, _), row in rows.items()}
        self._ignores_void, self._only_given = rules.void == "ignore", rules.only_given
        self._firsts: dict[int, str] = {}  # counts of COCO's RLE
        self.has_void = False
        self.is_void_an_object = True  # until another id appears

    @property
    def seen(self) -> set[int]:
        """Ids of objects with a true mask so far."""
        return set(self._firsts) - (set() if self.is_void_an_object else {VOID})

    def score(self, name: str, labels: np.ndarray) -> Iterator[dict[str, Any]]:
        """Score the objects that an earlier frame shows; yields a row for each."""
        if self._masks.rows:
            labels = fit(labels, self._masks.rows[0]["height"], self._masks.rows[0]["width"])
        present = set(present_ids(labels))
        void = self._void(labels, present)
        for object_id, first in self._firsts.items():
            if self._only_given and (name, object_id) not in self._rows:
                continue
            copied = rle.decode(first, *labels.shape)
            scores = self._score(self._rows.get((name, object_id)), labels == object_id, copied, void=void)
            yield {"frame_index": self._index.get(name), "frame_name": name, "object_id": object_id} | scores
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


def _check_numbers(masks: VideoMasks, names: Sequence[str], frames: int | None) -> None:
    """Refuse true masks that are numbered from 1 where frames count from 0: scores would be of other frames."""
    if frames is None or not masks.rows or masks.rows[0]["frame_name"] is not None:
        return
    late = [name for name in names if name.isdecimal() and int(name) >= frames]
    if late:
        raise UserError(
            f"--truth: true mask {late[0]} of {masks.video_id!r} is after its last frame, {frames - 1}; legal: the "
            "numbers of its frames, which count from 0. Rename masks that count from 1"
        )


def _match(rows: Iterable[MaskRow], names: Sequence[str]) -> dict[tuple[str, int], MaskRow]:
    """Rows by frame name and object id. Frames of a video file have no names and match by number."""
    by_number = {int(name): name for name in names if name.isdecimal()}
    return {(row["frame_name"] or by_number.get(row["frame_index"], ""), row["object_id"]): row for row in rows}


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
