"""A folder for each object, a mask a frame in it: SA-V's layout, and that of segmentation tools."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.frame_names import FrameNames
from jobs.inputs.prompts.label_images import open_mask
from jobs.inputs.prompts.prompt_builder import MAX_OBJECTS, PromptBuilder
from jobs.records import Entry


def object_folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name; none where no mask is in any of them."""
    folders = sorted(p for p in folder.iterdir() if not p.name.startswith((".", "_")) and p.is_dir())
    return folders if any(_masks(p) for p in folders) else []


def add_object_folders(
    folders: Sequence[Path], entry: Entry, names: FrameNames, *, max_pixels: int, gathered: PromptBuilder
) -> None:
    """The masks of all objects; each is where the image is not 0. Raises PromptError."""
    if len(folders) > MAX_OBJECTS:
        raise PromptError(f"there are {len(folders):,} folders of objects; legal: up to {MAX_OBJECTS} in a video")
    for object_id, name, folder in _numbered(folders):
        files = names.by_frame(_masks(folder))
        if not files:
            raise PromptError(f"the folder of object {folder.name} holds no .png; legal: a mask or more, or no folder")
        if name is not None:
            gathered.name(object_id, name)
        for frame, file in files.items():
            mask = _read_mask(file, max_pixels)
            gathered.put(frame, object_id, mask)
            if entry.first_masks_only and mask.any():
                break


def number_from_one(ids: Sequence[int]) -> list[int]:
    """Ids as they are, or each one higher where one of them is 0, as SA-V counts: 0 is where no object is."""
    return [i + 1 for i in ids] if 0 in ids else list(ids)


def _numbered(folders: Sequence[Path]) -> list[tuple[int, str | None, Path]]:
    """Id, name and folder of each object: names that are numbers are ids, others are numbered from 1 in their order."""
    names = [folder.name for folder in folders]
    numbers = [name for name in names if name.isascii() and name.isdecimal()]
    if not numbers:
        return [(number, folder.name, folder) for number, folder in enumerate(folders, start=1)]
    if len(numbers) < len(names):
        other = next(name for name in names if name not in numbers)
        raise PromptError(
            f"of the folders of objects some are numbers, such as {numbers[0]}, and some are not, such as {other}; "
            "legal: all numbers, which are ids, or all names"
        )
    given = [int(name) for name in names]
    if twice := next((i for i in given if given.count(i) > 1), None):
        raise PromptError(f"two folders are of object {twice}; legal: one folder an object")
    ids = number_from_one(given)
    kept = [None] * len(ids) if ids == given else names
    return list(zip(ids, kept, folders, strict=True))


def _masks(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == ".png" and not p.name.startswith("."))


def _read_mask(path: Path, max_pixels: int) -> np.ndarray:
    """Boolean (H, W). Raises PromptError for more than one value beside 0: soft edges, or masks of several objects."""
    values = np.asarray(open_mask(path, max_pixels))
    if values.ndim == 3:
        values = values.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    found = np.unique(values[values != 0])
    if len(found) > 1:
        raise PromptError(
            f"mask {path.parent.name}/{path.name} has the values {found[:5].tolist()} beside 0; legal: one, as a "
            "folder is of one object. Draw it without smoothing; masks with all objects lie in the folder above, "
            "or this folder is of a video and not of an object"
        )
    return np.asarray(values != 0)
