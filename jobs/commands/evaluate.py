"""Score an output against true masks: J and F as davis2017-evaluation computes them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from jobs.errors import PromptError, UserError
from jobs.inputs.images import in_counting_order
from jobs.inputs.manifest import without_resolution
from jobs.inputs.prompts.label_images import VOID, fit, read_labels, without_void
from jobs.io import storage
from jobs.outputs.names import own_name
from jobs.outputs.store import MaskRow
from jobs.outputs.stored_masks import VideoMasks, masks_by_video
from jobs.status import shown
from stcn_core.frames import present_ids
from stcn_core.metrics import contour_accuracy, region_similarity


@dataclass(frozen=True)
class ObjectScore:
    """Mean scores of one object over its frames, the first and the last left out."""

    video_id: str
    object_id: int
    frames: int
    region: float  # J
    contour: float  # F
    copied_region: float  # J of a copy of the object's first true mask, what doing nothing would score
    copied_contour: float  # F of the same

    @property
    def mean(self) -> float:
        """J&F."""
        return (self.region + self.contour) / 2


def evaluate_output(output: str, truth: str) -> list[ObjectScore]:
    """Score every object of every video that has a folder of true masks.

    truth: a folder with a folder of indexed PNGs for each video id, or a DAVIS tree; for a tree of one
    sequence, its folder of PNGs. An id that no folder can be called, such as a/b, has its masks in the folder that
    `export` writes for it. A true mask belongs to the frame of its name. An object counts from the frame after the
    one where the truth first shows it.
    """
    root = storage.join(truth, "Annotations")
    root = without_resolution(root if storage.exists(root) else truth)
    if not storage.exists(root):
        raise UserError(f"--truth {truth} does not exist; legal: a folder with a folder of masks for each video")
    of_one_video = bool(storage.find(root, [".png"]))
    scores: list[ObjectScore] = []
    for number, masks in enumerate(masks_by_video(output)):
        if number and of_one_video:
            raise UserError(f"--truth {truth} holds the masks of one video, {output} several; legal: a folder for each")
        folder = root if of_one_video else storage.join(root, own_name(masks.video_id))
        with TemporaryDirectory(prefix="stcn-") as local:
            files = {Path(info.location).stem: info.location for info in storage.find(folder, [".png"])}
            names = sorted(files, key=in_counting_order)
            try:
                labels = [(name, read_labels(storage.download(files[name], Path(local)))) for name in names]
                scores += score_video(masks, labels)
            except PromptError as error:
                raise UserError(f"--truth: the true masks of {masks.video_id!r} cannot be used: {error}") from error
    if not scores:
        raise UserError(f"--truth {truth} has true masks of none of the videos of {output}; legal: a folder for each")
    return sorted(scores, key=lambda score: (score.video_id, score.object_id))


def score_video(masks: VideoMasks, truth: Sequence[tuple[str, np.ndarray]]) -> list[ObjectScore]:
    """Score one video: its masks against label maps by frame name, in order."""
    video_id, names = masks.video_id, [name for name, _ in truth]
    frames = _match(masks.rows, names)
    if frames and truth and not any(name in names for name, _ in frames):
        raise UserError(f"--truth: no true mask of {video_id!r} has the name of one of its frames, but {names[:3]} ...")
    ids = sorted(without_void({i for _, labels in truth for i in present_ids(labels)}))
    scores = [
        _score_object(masks, object_id, [(frames.get((name, object_id)), labels) for name, labels in truth])
        for object_id in ids
    ]
    return [score for score in scores if score.frames]  # an object that only the last frame shows has none


def format_scores(scores: Sequence[ObjectScore]) -> str:
    """A line an object, then the mean over all objects pooled; on the right what copying the first mask scores."""
    names = [shown(score.video_id) for score in scores]
    width = max(len("video"), *map(len, names))
    lines = [f"{'video':{width}}  object  frames      J      F    J&F   copy J      F    J&F"]
    lines += [
        f"{name:{width}}  {s.object_id:6d}  {s.frames:6d}  {_columns([s])}"
        for name, s in zip(names, scores, strict=True)
    ]
    lines.append(f"{'all':{width}}  {len(scores):6d}          {_columns(scores)}")
    return "\n".join(lines)


def _columns(scores: Sequence[ObjectScore]) -> str:
    own = _mean(s.region for s in scores), _mean(s.contour for s in scores)
    copied = _mean(s.copied_region for s in scores), _mean(s.copied_contour for s in scores)
    groups = ("  ".join(f"{value:5.3f}" for value in (*pair, _mean(pair))) for pair in (own, copied))
    return "    ".join(groups)


def _match(rows: Iterable[MaskRow], names: Sequence[str]) -> dict[tuple[str, int], MaskRow]:
    """Find each true mask's row by its frame's name; for video files, whose frames have none, by number."""
    by_number = {int(name): name for name in names if name.isdigit()}
    return {(row["frame_name"] or by_number.get(row["frame_index"], ""), row["object_id"]): row for row in rows}


def _score_object(
    masks: VideoMasks, object_id: int, frames: Sequence[tuple[MaskRow | None, np.ndarray]]
) -> ObjectScore:
    first = next(i for i, (_, labels) in enumerate(frames) if (labels == object_id).any())
    values = []
    for mask, true, void in _masks(masks, object_id, frames[first + 1 : -1]):
        copied = fit(frames[first][1], *true.shape) == object_id
        values.append([score(x, true, void) for x in (mask, copied) for score in (region_similarity, contour_accuracy)])
    means = np.mean(values, axis=0).tolist() if values else [0.0] * 4
    return ObjectScore(masks.video_id, object_id, len(values), *means)


def _masks(
    masks: VideoMasks, object_id: int, frames: Iterable[tuple[MaskRow | None, np.ndarray]]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Mask, true mask and void pixels of each frame; a frame without a row has an empty mask."""
    for row, labels in frames:
        if row is not None:
            mask = masks.decode(row)
            labels = fit(labels, *mask.shape)
        else:
            mask = np.zeros(labels.shape, bool)
        yield mask, labels == object_id, None if object_id == VOID else labels == VOID


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return float(np.mean(values)) if values else 0.0
