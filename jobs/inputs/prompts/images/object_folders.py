"""A folder for each object, with a mask for each frame: the layout of SA-V and of segmentation tools."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jobs.errors import PromptError
from jobs.inputs.prompts.images.object_masks import number_objects, put_masks
from jobs.inputs.prompts.names.numbers_in_names import FRAME_WORD
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
    files = {folder.name: _masks(folder) for folder in folders}
    if empty := next((name for name, masks in files.items() if not masks), None):
        raise PromptError(f"the folder of object {empty} holds no .png; legal: a mask or more, or no folder")
    if len(files) > 1 and (video := next((name for name in files if name in source.frame_names.video_names), None)):
        raise PromptError(
            f"of the folders {list(files)[:5]} one is called like the video; legal: prompts that name the folder of "
            f"one video, such as .../{video}, or folders of its objects"
        )
    _refuse_folders_of_frames(files)
    frames = source.frame_names.frames_of(file.name for masks in files.values() for file in masks)
    for name, object_id in number_objects(list(files), builder).items():
        masks = sorted((frames[file.name], file) for file in files[name])
        put_masks(object_id, masks, source, builder=builder)


def _refuse_folders_of_frames(files: Mapping[str, Sequence[Path]]) -> None:
    """Refuse folders that look like frames, with objects in them: masks/00008/1.png. Raises PromptError."""
    folders, masks = list(files), [file.stem for masks in files.values() for file in masks]
    are_numbers = all(name.isascii() and name.isdecimal() for name in (*folders, *masks))
    if _follow_the_word_frame(folders) or (are_numbers and (_are_wider(folders, masks) or _count_less(folders, masks))):
        folder, mask = folders[-1], masks[-1]
        raise PromptError(
            f"the folder {folder} may be an object with a mask of frame {mask}, or frame {folder} with a mask of "
            f"object {mask}. Say which in the manifest's column mask_names: {{object}}/{{frame}}, or "
            "{frame}/{object}"
        )


def _follow_the_word_frame(folders: Sequence[str]) -> bool:
    digits = "0123456789"
    return all(name[-1] in digits and FRAME_WORD.search(name.rstrip(digits)) for name in folders)


def _are_wider(folders: Sequence[str], masks: Sequence[str]) -> bool:
    """Whether the folders are padded with zeros, and the masks are shorter numbers: 00008/1."""
    is_padded = any(name.startswith("0") and len(name) > 1 for name in folders)
    return is_padded and min(map(len, folders)) > max(map(len, masks))


def _count_less(folders: Sequence[str], masks: Sequence[str]) -> bool:
    """Whether the masks are numbered 0, 1, ... as objects are, and the folders leave numbers out, as frames do.

    Or the masks count from 1 and the folders from 0. Masks with more digits than their folders are frames.
    """
    if min(map(len, masks)) > max(map(len, folders)):
        return False
    ids, numbers = sorted(set(map(int, masks))), sorted(map(int, folders))
    is_counted = ids == [*range(ids[0], ids[0] + len(ids))] and ids[0] <= 1
    return is_counted and (numbers[-1] - numbers[0] >= len(numbers) or (ids[0] == 1 and numbers[0] == 0))


def _masks(folder: Path) -> list[Path]:
    return files_with_suffix(folder, ".png")


KIND = PromptKind(
    name="a folder for each object",
    add=add_object_folders,
    folder=FolderContents(find=object_folders, singular="folder with .png", plural="folders, with .png in some"),
)
