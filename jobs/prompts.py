"""Masks of any kind -> label maps by frame.

A prompt is an indexed PNG (its pixel values are object ids, 0 = unlabelled), a folder of them whose
names say the frame, or Parquet in our own schema, a file or a folder of files: the prompts of an earlier
run, or rows that somebody made.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
from PIL import Image

from jobs import rle
from jobs.errors import PromptError
from stcn_core.masks import present_ids

MAX_RESIZE = 0.02  # real masks can be a pixel off their frame's size; more is another picture
VOID = 255  # in trees of benchmarks whose other ids are small: pixels that count for neither side
SOFT_VALUES, SOFT_AREA = 32, 64  # more values than this, most of them on fewer pixels, are no objects
INDEXED = ("P", "L", "1", "I", "I;16", "I;16B", "I;16L")  # Pillow's modes that hold one number a pixel

Prompts = dict[int, np.ndarray]  # frame index -> label map, (H, W) integers


def load_prompts(
    path: Path, video_id: str, names: Sequence[str] | None, start: int = 0, first_masks_only: bool = False
) -> Prompts:
    """Read all prompts of a video.

    names: of the video's frames if it is a folder of images; a mask then belongs to the frame of its
    name. Otherwise its name's number is the frame's index. A single PNG belongs to frame `start`.
    Raises PromptError.
    """
    if path.suffix.lower() == ".parquet" or any(path.glob("*.parquet")):
        prompts = _from_parquet(path, video_id)
    elif path.is_dir():
        files = _mask_files(path, names)
        prompts = _first_masks(files) if first_masks_only else {frame: read_labels(files[frame]) for frame in files}
    else:
        prompts = {start: read_labels(path)}
    if not any(labels.any() for labels in prompts.values()):
        raise PromptError(f"the prompts ({path.name}) hold no object: every pixel is 0, or there is no mask")
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


def read_labels(path: Path) -> np.ndarray:
    """An indexed image as int32 (H, W). Raises PromptError for colour images, soft edges and unreadable files."""
    try:
        with Image.open(path) as image:
            if image.mode not in INDEXED:
                raise PromptError(
                    f"mask {path.name} is a colour image ({image.mode}); legal: indexed or grey, with pixel "
                    "values that are object ids. Convert it with a table from colours to ids"
                )
            labels = np.asarray(image).astype(np.int32)
            if image.format == "JPEG" or (image.mode == "L" and _has_soft_edges(labels)):
                raise PromptError(
                    f"mask {path.name} has values between its objects', as JPEG or soft edges make them, and each "
                    "would be an object; legal: one value an object. Draw it without smoothing, as PNG"
                )
            return labels
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise PromptError(f"mask {path.name} cannot be read: {error}") from error


def without_void(ids: set[int]) -> set[int]:
    """Object ids, without the value that marks pixels of no side where there are others beside it."""
    return ids - {VOID} if len(ids) > 1 else ids


def _has_soft_edges(labels: np.ndarray) -> bool:
    """Whether most values are on few pixels: they lie between an object's value and the background's."""
    areas = np.unique(labels[labels > 0], return_counts=True)[1]
    return len(areas) > SOFT_VALUES and bool(np.median(areas) < SOFT_AREA)


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


def _first_masks(files: Mapping[int, Path]) -> Prompts:
    """Of each object only the first mask, as the semi-supervised benchmarks give it; void is no object."""
    seen: set[int] = set()
    first: Prompts = {}
    for frame, file in files.items():
        labels = read_labels(file)
        new = set(present_ids(labels)) - seen
        if new:
            first[frame] = np.where(np.isin(labels, list(new)), labels, 0)
            seen |= new
    void = seen - without_void(seen)
    return {frame: np.where(np.isin(labels, list(void)), 0, labels) for frame, labels in first.items()}


def _from_parquet(path: Path, video_id: str) -> Prompts:
    """The rows that are prompts; all, where a file of one's own does not say."""
    columns = ["frame_index", "object_id", "height", "width", "counts"]
    try:
        files = ds.dataset(path)
        chosen = ds.field("video_id") == video_id
        if "is_prompt" in files.schema.names:
            chosen &= ds.field("is_prompt")
        table = files.to_table(columns=columns, filter=chosen)
        if not len(table):
            held = files.to_table(columns=["video_id"])["video_id"].unique().to_pylist()
            raise PromptError(f"prompts {path.name} hold no prompt of video_id {video_id!r}; they hold {held[:5]}")
    except (OSError, ValueError, KeyError) as error:
        raise PromptError(f"prompts {path.name} cannot be read as Parquet with {columns}: {error}") from error
    prompts: Prompts = {}
    for row in table.to_pylist():
        labels = prompts.setdefault(row["frame_index"], np.zeros((row["height"], row["width"]), np.int32))
        labels[rle.decode(row["counts"], row["height"], row["width"])] = row["object_id"]
    return prompts
