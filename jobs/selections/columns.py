"""A file of masks as the arrays that its masks are judged by."""

from typing import Any

import numpy as np
import pyarrow as pa

from jobs.outputs import store
from jobs.outputs.stored_masks import RUN_REQUIRED, checked
from jobs.outputs.trust import Flags, trust
from jobs.selections.judging import Ints, Masks

NAMES = (
    "video_id",
    "frame_index",
    "object_id",
    "area",
    "score",
    "stability",
    "is_prompt",
    "prompt_distance",
    "scene",
)
JUDGED = pa.schema([store.MASKS.field(name) for name in NAMES])
FRAME_BITS = 32  # of a key that tells an object's frames apart; frames are int32


def read_columns(content: bytes) -> Masks:
    """The masks of a file's bytes. Raises stored_masks.UNREADABLE, for rows that are not sorted, too."""
    read = store.parse(content, [*NAMES, "trust"])
    table = checked(read, JUDGED, RUN_REQUIRED)
    ids = table["video_id"].combine_chunks().dictionary_encode()  # numbered as they come
    video = _integers(ids.indices)
    arrays = {name: table[name].to_numpy() for name in NAMES[1:]}
    frame, object_id, distance = (_integers(arrays[name]) for name in ("frame_index", "object_id", "prompt_distance"))
    _require_order(video, frame, object_id)
    is_cut = _cuts_between(
        video, frame, object_id, distance=distance, is_prompt=arrays["is_prompt"], scene=arrays["scene"]
    )
    value = trust(arrays["stability"], distance, is_cut, is_prompt=arrays["is_prompt"], empty=arrays["area"] <= 0)
    if "trust" in read.column_names:  # a selection's own: it may lack the prompts that tell where cuts lie
        value = np.clip(np.nan_to_num(read["trust"].cast(pa.float32()).to_numpy(), nan=0.0), 0.0, 1.0)
    return Masks(
        ids=ids.dictionary.to_pylist(),
        video=video,
        frame=frame,
        object_id=object_id,
        area=_integers(arrays["area"]),
        score=arrays["score"],
        stability=arrays["stability"],
        is_prompt=arrays["is_prompt"],
        trust=value,
    )


def _integers(values: Any) -> Ints:
    return np.asarray(values).astype(np.int64)


def _require_order(video: Ints, frame: Ints, object_id: Ints) -> None:
    steps = np.diff(video), np.diff(frame), np.diff(object_id)
    goes_on = (steps[0] > 0) | ((steps[0] == 0) & ((steps[1] > 0) | ((steps[1] == 0) & (steps[2] > 0))))
    if not goes_on.all():
        raise ValueError(f"row {int(np.argmin(goes_on)) + 1} is out of order, or there twice")


def _cuts_between(video: Ints, frame: Ints, object_id: Ints, *, distance: Ints, is_prompt: Flags, scene: Ints) -> Flags:
    """Whether the frame of a mask is of another scene than its object's nearest prompt; not where that is unknown."""
    found = np.zeros(len(video), bool)
    if not is_prompt.any() or not scene.any():
        return found
    objects, which = np.unique(object_id, return_inverse=True)
    track = np.unique(video * len(objects) + which, return_inverse=True)[1] << FRAME_BITS
    prompts = np.flatnonzero(is_prompt)
    prompts = prompts[np.argsort(track[prompts] + frame[prompts])]
    keys = track[prompts] + frame[prompts]
    is_near = np.zeros(len(video), bool)  # one of the nearest prompts is of the mask's own scene
    for nearest in (frame - distance, frame + distance):
        place = np.minimum(np.searchsorted(keys, track + nearest), len(keys) - 1)
        is_there = keys[place] == track + nearest
        is_same = scene[prompts[place]] == scene
        is_near |= is_there & is_same
        found |= is_there & ~is_same
    return found & ~is_near
