"""A folder for each object, with a mask for each frame: the layout of SA-V and of segmentation tools."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.label_images import open_mask
from jobs.inputs.prompts.prompt_builder import MAX_OBJECTS, PromptBuilder
from jobs.inputs.prompts.prompt_kind import FolderContents, PromptKind, PromptSource, files_with_suffix


def object_folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name; an empty list if none of them holds a mask."""
    folders = sorted(p for p in folder.iterdir() if not p.name.startswith((".", "_")) and p.is_dir())
    return folders if any(_masks(p) for p in folders) else []


def add_object_folders(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks of all objects; a mask is where its image is not 0. Raises PromptError."""
    folders = source.contents
    if len(folders) > MAX_OBJECTS:
        raise PromptError(f"there are {len(folders):,} folders of objects; legal: up to {MAX_OBJECTS} in a video")
    for object_id, name, folder in _numbered(folders):
        files = source.frame_names.by_frame(_masks(folder))
        if not files:
            raise PromptError(f"the folder of object {folder.name} holds no .png; legal: a mask or more, or no folder")
        if name is not None:
            builder.name(object_id, name)
        for frame, file in files.items():
            mask = _read_mask(file, source.max_pixels)
            builder.put(frame, object_id, mask)
            if source.entry.first_masks_only and mask.any():
                break


def number_from_one(ids: Sequence[int]) -> list[int]:
    """Ids as given, or each one higher if one of them is 0, as in SA-V: here 0 is the background."""
    return [i + 1 for i in ids] if 0 in ids else list(ids)


def _numbered(folders: Sequence[Path]) -> list[tuple[int, str | None, Path]]:
    """Id, name and folder of each object. Numeric names are ids; other names are numbered from 1 in their order."""
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
    return files_with_suffix(folder, ".png")


def _read_mask(path: Path, max_pixels: int) -> np.ndarray:
    """One mask, boolean (H, W). Raises PromptError for several values beside 0: soft edges, or several objects."""
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


KIND = PromptKind(
    name="a folder for each object",
    add=add_object_folders,
    folder=FolderContents(find=object_folders, singular="folder with .png", plural="folders, with .png in some"),
)
