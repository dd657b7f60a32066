"""Masks of any kind -> label maps by frame.

A prompt is an indexed PNG (its pixel values are object ids, 0 = unlabelled), a folder of them whose
names say the frame, or a Parquet file in our own schema (so an earlier run can prompt).
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from jobs import rle
from jobs.errors import PromptError

MAX_RESIZE = 0.02  # real masks can be a pixel off their frame's size; more is another picture
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
    if path.is_dir():
        prompts = {_frame_of(file, names): read_labels(file) for file in _mask_files(path)}
    elif path.suffix.lower() == ".parquet":
        prompts = _from_parquet(path, video_id)
    else:
        prompts = {start: read_labels(path)}
    if first_masks_only:
        prompts = _first_masks(prompts)
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
    """An indexed image as int32 (H, W). Raises PromptError for colour images and unreadable files."""
    try:
        with Image.open(path) as image:
            if image.mode not in INDEXED:
                raise PromptError(
                    f"mask {path.name} is a colour image ({image.mode}); legal: indexed or grey, with pixel "
                    "values that are object ids. Convert it with a table from colours to ids"
                )
            return np.asarray(image).astype(np.int32)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise PromptError(f"mask {path.name} cannot be read: {error}") from error


def _mask_files(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".png")
    if not files:
        raise PromptError(f"the prompts folder {folder.name} holds no .png")
    return files


def _frame_of(path: Path, names: Sequence[str] | None) -> int:
    if names is not None and path.stem in names:
        return names.index(path.stem)
    number = re.search(r"\d+", path.stem)
    if names is not None or number is None:
        legal = f"a frame's name, such as {names[0]}" if names else "a number, such as 00000.png"
        raise PromptError(f"mask {path.name} says no frame; its name must be {legal}")
    return int(number.group())


def _first_masks(prompts: Prompts) -> Prompts:
    """Keep of each object only the first frame that shows it."""
    seen: set[int] = set()
    first: Prompts = {}
    for frame in sorted(prompts):
        new = [int(i) for i in np.unique(prompts[frame]) if i and int(i) not in seen]
        if new:
            first[frame] = np.where(np.isin(prompts[frame], new), prompts[frame], 0)
            seen.update(new)
    return first


def _from_parquet(path: Path, video_id: str) -> Prompts:
    columns = ["frame_index", "object_id", "height", "width", "counts"]
    try:
        table = pq.read_table(path, columns=columns, filters=[("video_id", "=", video_id)])
    except (OSError, ValueError, KeyError) as error:
        raise PromptError(f"prompts {path.name} cannot be read as Parquet with {columns}: {error}") from error
    prompts: Prompts = {}
    for row in table.to_pylist():
        labels = prompts.setdefault(row["frame_index"], np.zeros((row["height"], row["width"]), np.int32))
        labels[rle.decode(row["counts"], row["height"], row["width"])] = row["object_id"]
    return prompts
