"""Masks of any kind -> label maps by frame.

A prompt is an indexed PNG (its pixel values are object ids, 0 = unlabelled), a folder of them whose
names say the frame, or Parquet in our own schema, a file or a folder of files: the prompts of an earlier
run, or rows that somebody made.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.images import load_image
from jobs.inputs.limits import Limits
from jobs.inputs.prompt_rows import labels_from_parquet
from stcn_core.frames import present_ids

MAX_RESIZE = 0.02  # real masks can be a pixel off their frame's size; more is another picture
VOID = 255  # in trees of benchmarks whose other ids are small: pixels that count for neither side
SOFT_VALUES, SOFT_AREA = 32, 64  # more values than this, most of them on fewer pixels, are no objects
INDEXED = ("P", "L", "1", "I", "I;16", "I;16B", "I;16L")  # Pillow's modes that hold one number a pixel
# Memory and time grow with each object. DAVIS has up to 10 in a video, and an 8-bit mask cannot say more than
# 255; one of 16 bits, or soft edges in it, can say 65,535.
MAX_OBJECTS = 256

Prompts = dict[int, np.ndarray]  # frame index -> label map, (H, W) integers


def load_prompts(
    path: Path,
    video_id: str,
    names: Sequence[str] | None,
    start: int = 0,
    first_masks_only: bool = False,
    size: tuple[int, int] | None = None,
) -> Prompts:
    """Read all prompts of a video.

    names: of the video's frames if it is a folder of images; a mask then belongs to the frame of its
    name. Otherwise its name's number is the frame's index. A single PNG belongs to frame `start`.
    size: of the frames, (height, width); larger masks are refused before they are decoded.
    Raises PromptError, also for more than MAX_OBJECTS objects.
    """
    max_pixels = Limits.max_pixels if size is None else round(size[0] * size[1] * (1 + MAX_RESIZE) ** 2)
    if tables := _tables(path):
        prompts = labels_from_parquet(tables, video_id, max_pixels)
    elif path.is_dir():
        masks = ((frame, read_labels(file, max_pixels)) for frame, file in _mask_files(path, names).items())
        prompts = _first_masks(masks) if first_masks_only else dict(masks)
    else:
        prompts = {start: read_labels(path, max_pixels)}
    objects = {i for labels in prompts.values() for i in present_ids(labels)}
    if not objects:
        raise PromptError(f"the prompts ({path.name}) hold no object: every pixel is 0, or there is no mask")
    if len(objects) > MAX_OBJECTS:
        raise PromptError(
            f"the prompts ({path.name}) hold {len(objects):,} objects; legal: up to {MAX_OBJECTS} in a video. Each "
            "value of a mask is an object: look for soft edges or noise, or split the objects over several video ids"
        )
    return prompts


def fit(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """A label map at its frame's size. Raises PromptError if the sizes differ by more than 2 %."""
    given = labels.shape
    if given == (height, width):
        return labels
    if max(abs(given[0] / height - 1), abs(given[1] / width - 1)) > MAX_RESIZE:
        raise PromptError(
            f"a mask is {given[1]}x{given[0]}, its frame {width}x{height}; masks must have the frame's size "
            f"(up to {MAX_RESIZE:.0%} is mended): draw or export them at full size"
        )
    rows = (np.arange(height) + 0.5) * given[0] // height
    columns = (np.arange(width) + 0.5) * given[1] // width
    return np.asarray(labels[rows.astype(int)[:, None], columns.astype(int)])


def read_labels(path: Path, max_pixels: int = Limits.max_pixels) -> np.ndarray:
    """An indexed image as int32 (H, W). Raises PromptError for colours, soft edges, negative ids, unreadable files."""
    try:
        image = load_image(path, max_pixels)
    except ValueError as error:
        raise PromptError(f"mask {path.name} cannot be read: {error}") from error
    if image.mode not in INDEXED:
        raise PromptError(
            f"mask {path.name} is a colour image ({image.mode}); legal: indexed or grey, with pixel "
            "values that are object ids. Convert it with a table from colours to ids"
        )
    labels = np.asarray(image).astype(np.int32)
    if labels.min(initial=0) < 0:
        raise PromptError(
            f"mask {path.name} holds {labels.min()}; legal: 0 where there is no object, and ids from 1 up"
        )
    if image.format in ("JPEG", "MPO") or (image.mode == "L" and _has_soft_edges(labels)):
        raise PromptError(
            f"mask {path.name} has values between its objects', as JPEG or soft edges make them, and each "
            "would be an object; legal: one value an object. Draw it without smoothing, as PNG"
        )
    return labels


def without_void(ids: set[int]) -> set[int]:
    """Object ids, without the value that marks pixels of no side where there are others beside it."""
    return ids - {VOID} if len(ids) > 1 else ids


def _has_soft_edges(labels: np.ndarray) -> bool:
    """Whether most values are on few pixels: they lie between an object's value and the background's."""
    areas = np.unique(labels[labels > 0], return_counts=True)[1]
    return len(areas) > SOFT_VALUES and bool(np.median(areas) < SOFT_AREA)


def _tables(path: Path) -> list[Path]:
    """The Parquet file, or those of the folder; none where the prompts are images."""
    if path.suffix.lower() == ".parquet" and not path.is_dir():
        return [path]
    return sorted(p for p in path.glob("*.parquet") if not p.name.startswith((".", "_")))


def _mask_files(folder: Path, names: Sequence[str] | None) -> dict[int, Path]:
    """The masks by frame, in order."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".png" and not p.name.startswith("."))
    if not files:
        raise PromptError(f"the prompts folder {folder.name} holds no .png and no .parquet")
    frames: dict[int, Path] = {}
    for file in files:
        other = frames.setdefault(_frame_of(file, names), file)
        if other is not file:
            raise PromptError(
                f"masks {other.name} and {file.name} are of one frame; legal: one mask with all its objects"
            )
    return dict(sorted(frames.items()))


def _frame_of(path: Path, names: Sequence[str] | None) -> int:
    if names is not None and path.stem in names:
        return names.index(path.stem)
    numbers = re.findall(r"[0-9]+", path.stem)
    if names is not None or not numbers:
        legal = f"a frame's name, such as {names[0]}" if names else "a number, such as 00000.png"
        raise PromptError(f"mask {path.name} says no frame; its name must be {legal}")
    return int(numbers[-1])  # cam2_00012 is frame 12


def _first_masks(masks: Iterable[tuple[int, np.ndarray]]) -> Prompts:
    """Of each object only the first mask, as the semi-supervised benchmarks give it; void is no object."""
    seen: set[int] = set()
    first: Prompts = {}
    for frame, labels in masks:
        new = set(present_ids(labels)) - seen
        if new:
            first[frame] = np.where(np.isin(labels, list(new)), labels, 0)
            seen |= new
    void = seen - without_void(seen)
    return {frame: np.where(np.isin(labels, list(void)), 0, labels) for frame, labels in first.items()}
