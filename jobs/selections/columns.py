"""The columns of a mask file that its masks are judged by, as arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.outputs import store
from jobs.outputs.mask_order import first_disorder
from jobs.outputs.stored_masks import RUN_REQUIRED, checked
from jobs.outputs.trust import Flags, trust
from jobs.selections.judging import Ints, Masks

COLUMNS = (
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
SCHEMA = pa.schema([store.MASKS.field(name) for name in COLUMNS])
FRAME_BITS = 32  # low bits of a key that hold the frame, an int32; the high bits hold the track


def read_columns(opened: Any, has: Callable[[str], bool]) -> Masks:
    """Read the masks of an open file. Raises stored_masks.UNREADABLE, also for unsorted rows.

    opened: a pyarrow.parquet.ParquetFile. has: whether a video is to be read.
    """
    stored = opened.read([*COLUMNS, "trust"], use_threads=False)
    stored, table = (of_videos(table, has) for table in (stored, checked(stored, SCHEMA, RUN_REQUIRED)))
    video_ids = table["video_id"].combine_chunks().dictionary_encode()  # numbered by first occurrence
    video = _integers(video_ids.indices)
    arrays = {name: table[name].to_numpy() for name in COLUMNS[1:]}
    frame, object_id, distance = (_integers(arrays[name]) for name in ("frame_index", "object_id", "prompt_distance"))
    if (row := first_disorder(video, frame, object_id)) is not None:
        raise ValueError(f"row {row} is out of order or repeated")
    is_cut = _cuts_between(
        video, frame, object_id, distance=distance, is_prompt=arrays["is_prompt"], scene=arrays["scene"]
    )
    values = trust(arrays["stability"], distance, is_cut, is_prompt=arrays["is_prompt"], empty=arrays["area"] <= 0)
    if "trust" in stored.column_names:  # a selection's own trust, as it may lack the prompts that cuts are found by
        values = np.clip(np.nan_to_num(stored["trust"].cast(pa.float32()).to_numpy(), nan=0.0), 0.0, 1.0)
    return Masks(
        video_ids=video_ids.dictionary.to_pylist(),
        video=video,
        frame=frame,
        object_id=object_id,
        area=_integers(arrays["area"]),
        score=arrays["score"],
        stability=arrays["stability"],
        is_prompt=arrays["is_prompt"],
        trust=values,
    )


def of_videos(table: Any, has: Callable[[str], bool]) -> Any:
    """The rows of some videos of a table of masks; the table itself where that is all of them."""
    others = [video_id for video_id in table["video_id"].unique().to_pylist() if not has(video_id)]
    return table.filter(pc.invert(pc.is_in(table["video_id"], pa.array(others)))) if others else table


def _integers(values: Any) -> Ints:
    return np.asarray(values).astype(np.int64)


def _cuts_between(video: Ints, frame: Ints, object_id: Ints, *, distance: Ints, is_prompt: Flags, scene: Ints) -> Flags:
    """Whether each mask's frame lies in another scene than its object's nearest prompt. False if that is unknown."""
    is_cut = np.zeros(len(video), bool)
    if not is_prompt.any() or not scene.any():
        return is_cut
    objects, object_index = np.unique(object_id, return_inverse=True)
    track = np.unique(video * len(objects) + object_index, return_inverse=True)[1] << FRAME_BITS
    prompts = np.flatnonzero(is_prompt)
    prompts = prompts[np.argsort(track[prompts] + frame[prompts])]
    keys = track[prompts] + frame[prompts]
    has_own = np.zeros(len(video), bool)  # whether one of the nearest prompts lies in the mask's own scene
    for nearest in (frame - distance, frame + distance):
        position = np.minimum(np.searchsorted(keys, track + nearest), len(keys) - 1)
        exists = keys[position] == track + nearest
        is_same = scene[prompts[position]] == scene
        has_own |= exists & is_same
        is_cut |= exists & ~is_same
    return is_cut & ~has_own
