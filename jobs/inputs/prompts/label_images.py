"""Label images: pixel values, or colours of the VOC palette, are object ids."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.errors import PromptError
from jobs.inputs.images import load_image
from jobs.inputs.limits import VideoLimits
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import FolderContents, PromptKind, PromptSource, files_with_suffix
from jobs.outputs.palette import voc_ids, voc_palette
from jobs.records import Entry
from stcn_core.frames import present_ids, resize_labels_nearest

MAX_RESIZE = 0.02  # real masks can be a pixel off their frame's size; a larger difference is another picture
VOID = 255  # in benchmarks: pixels that are neither object nor background
SOFT_VALUES, SOFT_AREA = 32, 64  # soft edges have more values than this, most of them on fewer pixels than this
INDEXED = ("P", "L", "1", "I", "I;16", "I;16B", "I;16L")  # Pillow's modes that hold one number a pixel
LOSSY = ("JPEG", "MPO")
MAX_COLOURS = 256


def add_label_images(source: PromptSource, builder: PromptBuilder) -> None:
    """Add one image, of the first segmented frame, or a folder of images named by their frames. Raises PromptError."""
    if not source.contents:
        _add([(source.entry.start, read_labels(source.path, source.max_pixels))], source.entry, builder)
        return
    files = source.frame_names.by_frame(source.contents)
    masks = ((frame, read_labels(file, source.max_pixels)) for frame, file in files.items())
    if source.entry.first_masks_only:
        _add(_first_masks(masks).items(), source.entry, builder)
    else:
        _add(masks, source.entry, builder)


def _add(masks: Iterable[tuple[int, np.ndarray]], entry: Entry, builder: PromptBuilder) -> None:
    for frame, labels in masks:
        builder.put_labels(frame, np.where(labels == entry.void, 0, labels) if entry.void else labels)
    is_void_known = entry.void is not None or entry.first_masks_only
    if not is_void_known and len(builder.ids) > 1 and max(builder.ids) == VOID:
        raise PromptError(
            f"the masks hold {VOID} beside {sorted(builder.ids - {VOID})[:5]}, where it may be an object, or be void, "
            f"as benchmarks mark pixels of no side. Say which in the manifest's column void: {VOID}, or none"
        )


def fit(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a label map to its frame's size. Raises PromptError if the sizes differ by more than 2 %."""
    given = labels.shape
    if max(abs(given[0] / height - 1), abs(given[1] / width - 1)) > MAX_RESIZE:
        raise PromptError(
            f"a mask is {given[1]}x{given[0]}, its frame {width}x{height}; masks must have the frame's size "
            f"(up to {MAX_RESIZE:.0%} is mended): draw or export them at full size"
        )
    return resize_labels_nearest(labels, height, width)


def open_mask(path: Path, max_pixels: int = VideoLimits.max_pixels) -> Image.Image:
    """Open an image of numbers or of RGB colours. Raises PromptError for other modes and for JPEG."""
    try:
        image = load_image(path, max_pixels)
    except ValueError as error:
        raise PromptError(f"mask {path.name} cannot be read: {error}") from error
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    if image.format in LOSSY:
        raise _not_hard(path)
    if image.mode not in (*INDEXED, "RGB"):
        raise PromptError(
            f"mask {path.name} is a colour image ({image.mode}); legal: indexed or grey, with pixel values that are "
            "object ids, or RGB with the colours of the VOC / DAVIS palette. Save it without transparency"
        )
    return image


def read_labels(path: Path, max_pixels: int = VideoLimits.max_pixels) -> np.ndarray:
    """Read a label map, int32 (H, W). Raises PromptError for unknown colours, soft edges and negative ids."""
    image = open_mask(path, max_pixels)
    if image.mode == "RGB":
        return _ids_of_colours(image, path)
    labels = np.asarray(image).astype(np.int32)
    if labels.min(initial=0) < 0:
        raise PromptError(
            f"mask {path.name} holds {labels.min()}; legal: 0 where there is no object, and ids from 1 up"
        )
    if image.mode == "L" and _has_soft_edges(labels):
        raise _not_hard(path)
    return labels


def without_void(ids: set[int]) -> set[int]:
    """Object ids without VOID, if there are other ids beside it."""
    return ids - {VOID} if len(ids) > 1 else ids


def _not_hard(path: Path) -> PromptError:
    return PromptError(
        f"mask {path.name} has values between its objects', as JPEG or soft edges make them, and each "
        "would be an object; legal: one value an object. Draw it without smoothing, as PNG"
    )


def _ids_of_colours(image: Image.Image, path: Path) -> np.ndarray:
    """The index of each colour in the palette of VOC and DAVIS. Raises PromptError for other colours."""
    counted = image.getcolors(MAX_COLOURS)
    colours = np.array([colour for _, colour in counted or ()], np.uint8).reshape(-1, 3)
    strange = colours[(voc_palette()[voc_ids(colours)] != colours).any(axis=1)]
    if counted is None or len(strange):
        found = f"more than {MAX_COLOURS} colours" if counted is None else f"the colours {strange[:5].tolist()}"
        raise PromptError(
            f"mask {path.name} is a colour image with {found}, which are not the VOC / DAVIS palette's; legal: that "
            "palette's colours, or an indexed or grey image with pixel values that are object ids. Convert it with a "
            "table from colours to ids"
        )
    return voc_ids(np.asarray(image)).astype(np.int32)


def _has_soft_edges(labels: np.ndarray) -> bool:
    """Whether most values cover few pixels: smoothing makes values between an object's and the background's."""
    areas = np.unique(labels[labels > 0], return_counts=True)[1]
    return len(areas) > SOFT_VALUES and bool(np.median(areas) < SOFT_AREA)


def _first_masks(masks: Iterator[tuple[int, np.ndarray]]) -> dict[int, np.ndarray]:
    """The first mask of each object, as semi-supervised benchmarks give it; void is no object."""
    seen: set[int] = set()
    first: dict[int, np.ndarray] = {}
    for frame, labels in masks:
        new = set(present_ids(labels)) - seen
        if new:
            first[frame] = np.where(np.isin(labels, list(new)), labels, 0)
            seen |= new
    void = seen - without_void(seen)
    return {frame: np.where(np.isin(labels, list(void)), 0, labels) for frame, labels in first.items()}


KIND = PromptKind(
    name="label images",
    add=add_label_images,
    folder=FolderContents(find=partial(files_with_suffix, suffix=".png"), singular=".png", plural=".png"),
)
