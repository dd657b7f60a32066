"""Images whose values, or palette's colours, are object ids -> label maps."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.errors import PromptError
from jobs.inputs.images import load_image
from jobs.inputs.limits import VideoLimits
from jobs.inputs.prompts.frame_names import FrameNames
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.outputs.palette import voc_ids, voc_palette
from jobs.records import Entry
from stcn_core.frames import present_ids, resize_labels_nearest

MAX_RESIZE = 0.02  # real masks can be a pixel off their frame's size; more is another picture
VOID = 255  # in benchmarks whose other ids are small: pixels that count for neither side
SOFT_VALUES, SOFT_AREA = 32, 64  # more values than this, most of them on fewer pixels, are no objects
INDEXED = ("P", "L", "1", "I", "I;16", "I;16B", "I;16L")  # Pillow's modes that hold one number a pixel
LOSSY = ("JPEG", "MPO")
MAX_COLOURS = 256


def add_image(path: Path, entry: Entry, max_pixels: int, *, gathered: PromptBuilder) -> None:
    """One mask, of the first frame that is segmented. Raises PromptError."""
    _gather([(entry.start, read_labels(path, max_pixels))], entry, gathered)


def add_images(
    files: Iterable[Path], entry: Entry, names: FrameNames, *, max_pixels: int, gathered: PromptBuilder
) -> None:
    """A mask a frame, each named by its frame. Raises PromptError."""
    masks = ((frame, read_labels(file, max_pixels)) for frame, file in names.by_frame(files).items())
    if entry.first_masks_only:
        _gather(_first_masks(masks).items(), entry, gathered)
    else:
        _gather(masks, entry, gathered)


def _gather(masks: Iterable[tuple[int, np.ndarray]], entry: Entry, gathered: PromptBuilder) -> None:
    for frame, labels in masks:
        gathered.put_labels(frame, np.where(labels == entry.void, 0, labels) if entry.void else labels)
    is_said = entry.void is not None or entry.first_masks_only
    if not is_said and len(gathered.ids) > 1 and max(gathered.ids) == VOID:
        raise PromptError(
            f"the masks hold {VOID} beside {sorted(gathered.ids - {VOID})[:5]}, where it may be an object, or be void, "
            f"as benchmarks mark pixels of no side. Say which in the manifest's column void: {VOID}, or none"
        )


def fit(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """A label map at its frame's size. Raises PromptError if the sizes differ by more than 2 %."""
    given = labels.shape
    if max(abs(given[0] / height - 1), abs(given[1] / width - 1)) > MAX_RESIZE:
        raise PromptError(
            f"a mask is {given[1]}x{given[0]}, its frame {width}x{height}; masks must have the frame's size "
            f"(up to {MAX_RESIZE:.0%} is mended): draw or export them at full size"
        )
    return resize_labels_nearest(labels, height, width)


def open_mask(path: Path, max_pixels: int = VideoLimits.max_pixels) -> Image.Image:
    """An image that may be a mask, with a number a pixel or RGB. Raises PromptError."""
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
    """An image as int32 (H, W). Raises PromptError for other colours, soft edges, negative ids, unreadable files."""
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
    """Object ids, without the value that marks pixels of no side where there are others beside it."""
    return ids - {VOID} if len(ids) > 1 else ids


def _not_hard(path: Path) -> PromptError:
    return PromptError(
        f"mask {path.name} has values between its objects', as JPEG or soft edges make them, and each "
        "would be an object; legal: one value an object. Draw it without smoothing, as PNG"
    )


def _ids_of_colours(image: Image.Image, path: Path) -> np.ndarray:
    """Colours as their places in the palette of VOC and DAVIS, where all of them are its."""
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
    """Whether most values are on few pixels: they lie between an object's value and the background's."""
    areas = np.unique(labels[labels > 0], return_counts=True)[1]
    return len(areas) > SOFT_VALUES and bool(np.median(areas) < SOFT_AREA)


def _first_masks(masks: Iterator[tuple[int, np.ndarray]]) -> dict[int, np.ndarray]:
    """Of each object only the first mask, as the semi-supervised benchmarks give it; void is no object."""
    seen: set[int] = set()
    first: dict[int, np.ndarray] = {}
    for frame, labels in masks:
        new = set(present_ids(labels)) - seen
        if new:
            first[frame] = np.where(np.isin(labels, list(new)), labels, 0)
            seen |= new
    void = seen - without_void(seen)
    return {frame: np.where(np.isin(labels, list(void)), 0, labels) for frame, labels in first.items()}
