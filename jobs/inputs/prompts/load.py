"""Masks of any kind -> the prompts of a video."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from jobs.errors import PromptError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.prompts.frame_names import FrameNames
from jobs.inputs.prompts.json_file import add_json
from jobs.inputs.prompts.label_images import MAX_RESIZE, add_image, add_images
from jobs.inputs.prompts.object_folders import add_object_folders, object_folders
from jobs.inputs.prompts.parquet_rows import add_rows
from jobs.inputs.prompts.prompt_builder import PromptBuilder, Prompts
from jobs.records import Entry
from stcn_core.frames import prompted_frames


def load_prompts(
    path: Path, entry: Entry, names: Sequence[str] | None, *, size: tuple[int, int] | None = None
) -> Prompts:
    """Read all prompts of a video, its frames counted from the video's own first.

    names: of the video's frames if it is a folder of images; a mask then belongs to the frame of its
    name. Otherwise its name's number is the frame's index. A single PNG belongs to the frame `start`.
    size: of the frames, (height, width); larger masks are refused before they are decoded.
    Raises PromptError.
    """
    max_pixels = VideoLimits.max_pixels if size is None else round(size[0] * size[1] * (1 + MAX_RESIZE) ** 2)
    gathered = PromptBuilder()
    _read(path, entry, FrameNames(names), max_pixels=max_pixels, gathered=gathered)
    if not gathered.labels:
        raise PromptError(f"the prompts ({path.name}) hold no object: every pixel is 0, or there is no mask")
    _check_removals(entry.removals, gathered)
    removals: dict[int, set[int]] = {}
    for object_id, frame in entry.removals:
        removals.setdefault(frame, set()).add(object_id)
    return Prompts(dict(sorted(gathered.labels.items())), gathered.names, removals)


def _read(path: Path, entry: Entry, names: FrameNames, *, max_pixels: int, gathered: PromptBuilder) -> None:
    ending = path.suffix.lower()
    if path.is_dir():
        _read_folder(path, entry, names, max_pixels=max_pixels, gathered=gathered)
    elif ending == ".parquet":
        add_rows([path], entry.video_id, max_pixels, gathered=gathered)
    elif ending == ".json":
        add_json(path, entry, names, max_pixels=max_pixels, gathered=gathered)
    else:
        add_image(path, entry, max_pixels, gathered=gathered)


def _read_folder(folder: Path, entry: Entry, names: FrameNames, *, max_pixels: int, gathered: PromptBuilder) -> None:
    """What lies in a folder says its kind, and must be of one kind."""
    tables = [p for p in _with_ending(folder.iterdir(), ".parquet") if not p.name.startswith("_")]  # Spark's
    images, objects = _with_ending(folder.iterdir(), ".png"), object_folders(folder)
    if len([kind for kind in (tables, images, objects) if kind]) > 1:
        raise PromptError(
            f"the prompts folder {folder.name} holds {len(tables)} .parquet, {len(images)} .png and {len(objects)} "
            "folders, with .png in some; legal: prompts of one kind. Put those to be used into a folder of their own"
        )
    if tables:
        add_rows(tables, entry.video_id, max_pixels, gathered=gathered)
    elif images:
        add_images(images, entry, names, max_pixels=max_pixels, gathered=gathered)
    elif objects:
        add_object_folders(objects, entry, names, max_pixels=max_pixels, gathered=gathered)
    else:
        raise PromptError(
            f"the prompts folder {folder.name} holds no .png, no .parquet, and no folder with .png; a JSON is named "
            "itself, not its folder"
        )


def _with_ending(paths: Iterable[Path], ending: str) -> list[Path]:
    return sorted(p for p in paths if p.suffix.lower() == ending and not p.name.startswith("."))  # ._ are a Mac's


def _check_removals(removals: Sequence[tuple[int, int]], gathered: PromptBuilder) -> None:
    """Each is of an object that was prompted before that frame, and is not on it."""
    prompted = prompted_frames(gathered.labels) if removals else {}
    for object_id, frame in removals:
        frames = prompted.get(object_id, [])
        if frames and frames[0] < frame and frame not in frames:
            continue
        has = f"it is prompted on the frames {frames[:10]}" if frames else f"there are {sorted(prompted)[:10]}"
        raise PromptError(
            f"remove says {object_id}@{frame}, and {has}; legal: an object of the prompts, on a frame after its first "
            "prompt on which it is not prompted"
        )
