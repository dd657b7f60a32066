"""Masks in NumPy's .npz, as people save what SAM 2 gave them: a label map for each frame, or one array of all masks."""

from collections import Counter
from collections.abc import Collection

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.prompts.annotations.fields import shown
from jobs.inputs.prompts.arrays.npz_file import SUFFIX, Npz, open_npz
from jobs.inputs.prompts.frame_size import check_size
from jobs.inputs.prompts.images.label_images import ask_for_void
from jobs.inputs.prompts.images.object_masks import number_from_one
from jobs.inputs.prompts.images.soft_edges import soft_values
from jobs.inputs.prompts.names.frame_names import FrameNames
from jobs.inputs.prompts.prompt_builder import INT32, PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource

MASKS, FRAMES, OBJECTS = "masks", "frames", "object_ids"
LEGAL = (
    "legal: an array (height, width) for each frame, np.savez(path, **{str(frame): labels}), or masks (frames, height, "
    "width) with frames, or masks (frames, objects, height, width) with object_ids"
)
WITHOUT_NAME = "arr_"  # as np.savez calls an array that was given no name


def add_arrays(source: PromptSource, builder: PromptBuilder) -> None:
    """Add all arrays of the file. Raises PromptError."""
    with open_npz(source.path) as arrays:
        if MASKS in arrays.headers:
            _add_stack(arrays, source, builder)
        else:
            _add_maps(arrays, source, builder)
    if source.entry.void is None:
        ask_for_void(builder.ids)


def _add_maps(arrays: Npz, source: PromptSource, builder: PromptBuilder) -> None:
    """Add a label map for each frame, by the arrays' names."""
    frames = _frames_of(arrays.headers, source.frame_names)
    if twice := [frame for frame, count in Counter(frames.values()).items() if count > 1]:
        raise PromptError(f"several arrays are of frame {twice[0]}; legal: one with all its objects")
    for name, frame in frames.items():
        with builder.annotation(f"array {shown(name)}"):
            size = _size(arrays, name, 2, source=source)
            (plane,) = arrays.planes(name, size)
            builder.put_labels(frame, _labels(plane, name, source), source=f"array {shown(name)}")


def _frames_of(names: Collection[str], frames: FrameNames) -> dict[str, int]:
    """The frame of each array by its name; plain numbers are indices if no image is called so."""
    if strange := next((name for name in names if name.startswith(WITHOUT_NAME)), None):
        raise PromptError(f"the array {shown(strange)} was saved without a name, which would say its frame; {LEGAL}")
    are_numbers = all(name.isascii() and name.isdecimal() and len(name) <= len(str(INT32)) for name in names)
    if frames.images is not None and are_numbers and not any(frames.find(name) is not None for name in names):
        return {name: int(name) for name in names}
    return frames.frames_of(names)


def _add_stack(arrays: Npz, source: PromptSource, builder: PromptBuilder) -> None:
    """Add one array of all masks: label maps, or a mask for each object."""
    shape = arrays.headers[MASKS].shape
    has_objects = OBJECTS in arrays.headers
    size = _size(arrays, MASKS, 4 if has_objects else 3, source=source)
    frames = _frames_of_stack(arrays, shape[0], source.frame_names)
    if others := sorted(arrays.headers.keys() - {MASKS, FRAMES, OBJECTS}):
        builder.note(f"arrays beside {MASKS}, {FRAMES} and {OBJECTS} are not read: {shown(others)}")
    ids = _ids(arrays, shape, builder) if has_objects else [None]
    for place, plane in enumerate(arrays.planes(MASKS, size)):
        frame, object_id = frames[place // len(ids)], ids[place % len(ids)]
        where = f"masks[{place // len(ids)}]" if object_id is None else f"the mask of object {object_id} in masks"
        with builder.annotation(f"{where} of frame {frame}"):
            if object_id is None:
                builder.put_labels(frame, _labels(plane, where, source), source=where)
            else:
                builder.put(frame, object_id, _mask(plane, where), source=MASKS)


def _frames_of_stack(arrays: Npz, count: int, names: FrameNames) -> list[int]:
    """The frame of each mask, or of all objects' masks, in the array of all masks."""
    if FRAMES not in arrays.headers:
        names.refuse_first_number("the masks of an array without frames are in their order,")
        if names.frames not in (None, count):
            raise PromptError(
                f"masks are of {count} frames, and the video has {names.frames}; legal: one for each frame, or an "
                "array frames that says which they are of"
            )
        return list(range(count))
    given = arrays.numbers(FRAMES, count)
    if len(set(given)) < count:
        raise PromptError(f"frames are {shown(given)}, some twice; legal: a frame for each of masks")
    return [number - names.first_number for number in given]


def _ids(arrays: Npz, shape: tuple[int, ...], builder: PromptBuilder) -> list[int | None]:
    given = arrays.numbers(OBJECTS, shape[1])
    ids = number_from_one(given)
    if len(set(ids)) < len(ids):
        raise PromptError(f"{OBJECTS} are {shown(given)}, some twice; legal: one for each object")
    if ids != given:
        builder.note(f"{OBJECTS} count from 0, and are read one higher: object 1 is 0")
    return list(ids)


def _size(arrays: Npz, name: str, rank: int, *, source: PromptSource) -> tuple[int, int]:
    """Height and width of an array's masks. Raises PromptError for another rank or size, before it is read."""
    shape = arrays.headers[name].shape
    if len(shape) != rank:
        raise PromptError(f"the array {shown(name)} has the shape {shown(shape)}; {LEGAL}")
    check_size(shape[-2], shape[-1], source.size)
    planes = int(np.prod(shape[:-2], dtype=np.int64))
    if shape[-2] * shape[-1] > source.max_pixels or planes > VideoLimits.max_frames:
        raise PromptError(
            f"the array {shown(name)} has the shape {shown(shape)}; legal: up to {source.max_pixels:,} pixels a mask, "
            f"and {VideoLimits.max_frames:,} masks"
        )
    return shape[-2], shape[-1]


def _labels(plane: np.ndarray, name: str, source: PromptSource) -> np.ndarray:
    """A label map, int32 (H, W). Raises PromptError for values that are no ids."""
    least, most = int(plane.min()), int(plane.max())
    if least < 0 or most > INT32:
        raise PromptError(f"the array {shown(name)} holds {least if least < 0 else most}; legal: 0 to {INT32}")
    labels = plane.astype(np.int32)
    if soft := soft_values(labels):
        raise PromptError(
            f"the array {shown(name)} has the values {soft[:5]} between its objects', as smoothing makes them; legal: "
            f"one value an object. Make a mask of one object hard, mask > {most // 2}"
        )
    return np.where(labels == source.entry.void, 0, labels) if source.entry.void else labels


def _mask(plane: np.ndarray, name: str) -> np.ndarray:
    """One object's mask, boolean (H, W). Raises PromptError for several values beside 0."""
    found = np.unique(plane[plane != 0])
    if len(found) > 1:
        raise PromptError(
            f"{name} has the values {found[:5].tolist()} beside 0; legal: one, as a mask is of one object"
        )
    return np.asarray(plane != 0)


KIND = PromptKind(name="arrays in .npz", add=add_arrays, suffix=SUFFIX)
