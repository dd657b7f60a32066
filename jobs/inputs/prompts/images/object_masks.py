"""Masks of one object each: how objects are numbered, and how their masks are read."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.images.mask_images import open_mask
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptSource


def number_from_one(ids: Sequence[int]) -> list[int]:
    """Ids as given, or each one higher if one of them is 0, as in SA-V: here 0 is the background."""
    return [i + 1 for i in ids] if 0 in ids else list(ids)


def number_objects(names: Sequence[str], builder: PromptBuilder) -> dict[str, int]:
    """Give objects ids by their names. Numeric names are ids; other names are numbered from 1 in their order.

    Names that the ids do not keep are given to the builder. Raises PromptError for numbers beside other names.
    """
    numbers = [name for name in names if name.isascii() and name.isdecimal()]
    if numbers and len(numbers) < len(names):
        other = next(name for name in names if name not in numbers)
        raise PromptError(
            f"of the folders of objects some are numbers, such as {numbers[0]}, and some are not, such as {other}; "
            "legal: all numbers, which are ids, or all names"
        )
    given = [int(name) for name in names] if numbers else list(range(1, len(names) + 1))
    if twice := next((i for i in given if given.count(i) > 1), None):
        raise PromptError(f"two folders are of object {twice}; legal: one folder an object")
    ids = number_from_one(given)
    if ids != given:
        builder.note("ids from 0 are read one higher, and object_name keeps each number")
    if ids != given or not numbers:
        for object_id, name in zip(ids, names, strict=True):
            builder.name(object_id, name)
    return dict(zip(names, ids, strict=True))


def put_masks(
    object_id: int, masks: Iterable[tuple[int, Path]], source: PromptSource, *, builder: PromptBuilder
) -> None:
    """Add the masks of one object, each with its frame, in order. Raises PromptError."""
    for frame, file in masks:
        name = source.name_of(file)
        with builder.annotation(f"mask {name}"):
            mask = _read_mask(file, source)
            builder.put(frame, object_id, mask, source=name)
            if source.entry.first_masks_only and mask.any():
                break


def _read_mask(path: Path, source: PromptSource) -> np.ndarray:
    """One mask, boolean (H, W). Raises PromptError for several values beside 0: soft edges, or several objects."""
    values = np.asarray(open_mask(path, source.max_pixels, size=source.size))
    if values.ndim == 3:
        values = values.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    if source.entry.void:
        values = np.where(values == source.entry.void, 0, values)
    found = np.unique(values[values != 0])
    if len(found) > 1:
        raise PromptError(
            f"mask {path.parent.name}/{path.name} has the values {found[:5].tolist()} beside 0; legal: one, as a "
            f"mask here is of one object. Make soft edges hard, Image.fromarray(np.asarray(mask) > {found[-1] // 2}); "
            "masks with all objects lie in the folder above, or this folder is of a video and not of an object"
        )
    return np.asarray(values != 0)
