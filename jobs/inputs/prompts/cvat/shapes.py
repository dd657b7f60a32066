"""The shapes of CVAT's XML: masks and polygons, decoded to the pixels of their frame."""

import re
from dataclasses import dataclass

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations.fields import shown
from jobs.inputs.prompts.annotations.segmentation import mask_of
from jobs.inputs.prompts.cvat.xml_file import Element
from jobs.inputs.prompts.frame_size import check_size
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptSource
from jobs.outputs import rle

MASKS = ("mask", "polygon")
SHAPES = (*MASKS, "box", "ellipse", "polyline", "points", "cuboid", "skeleton")
MAX_RUNS = 1_000_000  # of a mask; one of 1080p in which every other pixel differs
MAX_DIGITS = 10  # of a number
DEPTH = re.compile(r"-?[0-9]{1,10}")


@dataclass(frozen=True, kw_only=True)
class DrawnShape:
    """A shape, and what its image or track says of it."""

    shape: Element
    frame: int
    object_id: int
    size: tuple[int, int]  # height and width of its frame by the XML
    label: str | None
    where: str  # its image or track, for the video's row


def shapes_of(parent: Element) -> list[Element]:
    """The shapes of an image or a track, in order; its tags and attributes are none."""
    return [child for child in parent.children if child.tag in SHAPES]


def whole(element: Element, name: str, *, default: int | None = None) -> int:
    """An attribute that is a whole number from 0 up. Raises PromptError."""
    value = element.attributes.get(name)
    if value is None and default is not None:
        return default
    if value is None or not (value.isascii() and value.isdecimal() and len(value) <= MAX_DIGITS):
        raise PromptError(f"{name} of a {element.tag} is {shown(value)}; legal: a whole number from 0 up")
    return int(value)


def depth_of(shape: Element) -> int:
    """How far in front a shape is."""
    value = shape.attributes.get("z_order", "0")
    return int(value) if DEPTH.fullmatch(value) else 0


def put_shape(
    drawn: DrawnShape, labels: frozenset[str] | None, source: PromptSource, *, builder: PromptBuilder
) -> None:
    """Add the mask of a shape, and its label as the object's name. labels: all of the task, if known.

    Raises PromptError.
    """
    if labels is not None and drawn.label not in labels:
        raise PromptError(
            f"a {drawn.shape.tag} of {drawn.where} has the label {shown(drawn.label)}, and the labels of the XML are "
            f"{shown(sorted(labels))}; legal: one of these"
        )
    whose = f"object {drawn.object_id} on frame {drawn.frame}"
    mask = _mask_of(drawn.shape, drawn.size, source, whose=whose)
    if drawn.label:
        builder.name(drawn.object_id, drawn.label)
    builder.put(drawn.frame, drawn.object_id, mask, source=drawn.where)


def _mask_of(shape: Element, size: tuple[int, int], source: PromptSource, *, whose: str) -> np.ndarray:
    if shape.tag == "polygon":
        return mask_of([_points(shape, whose)], size, source, whose=whose)
    if shape.tag != "mask":
        raise PromptError(f"{whose} is a {shape.tag}; legal: {' or '.join(MASKS)}, as a {shape.tag} alone is no mask")
    check_size(*size, source.size)
    height, width = size
    if height < 1 or width < 1 or height * width > source.max_pixels:
        raise PromptError(f"{whose} is in a frame of {width}x{height}; legal: 1x1 to {source.max_pixels:,} pixels")
    left, top, across, down = (whole(shape, name) for name in ("left", "top", "width", "height"))
    if across < 1 or down < 1 or left + across > width or top + down > height:
        raise PromptError(
            f"the mask of {whose} lies in the box left {left}, top {top}, width {across}, height {down}; legal: a box "
            f"within its frame, {width}x{height}"
        )
    mask = np.zeros(size, bool)
    mask[top : top + down, left : left + across] = _decode(shape, down, across, whose=whose)
    return mask


def _decode(shape: Element, height: int, width: int, *, whose: str) -> np.ndarray:
    """CVAT's own RLE: runs of zeros, ones, zeros, ... along the rows of the box, where COCO's are of columns."""
    text = shape.attributes.get("rle", "")
    count = text.count(",") + 1
    if count > MAX_RUNS:
        raise PromptError(f"the mask of {whose} has {count:,} runs; legal: up to {MAX_RUNS:,}")
    runs = [run.strip() for run in text.split(",")]
    if not all(run.isascii() and run.isdecimal() and len(run) <= MAX_DIGITS for run in runs):
        raise PromptError(f"the rle of {whose} is {shown(text)}; legal: whole numbers with commas between them")
    lengths = [int(run) for run in runs]
    if sum(lengths) != height * width:
        raise PromptError(
            f"the runs of {whose} are {sum(lengths):,} pixels together, and its box {width}x{height} is "
            f"{height * width:,}; legal: the same"
        )
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)


def _points(shape: Element, whose: str) -> list[float]:
    """The corners of a polygon, x, y, x, y, ..., as COCO has them."""
    text = shape.attributes.get("points", "")
    if text.count(";") >= rle.MAX_POINTS or text.count(",") > rle.MAX_POINTS:
        raise PromptError(f"the polygon of {whose} has {text.count(';') + 1:,} points; legal: up to {rle.MAX_POINTS:,}")
    points = [point.split(",") for point in text.split(";")]
    try:
        return [float(value) for x, y in points for value in (x, y)]
    except ValueError:
        raise PromptError(f"points of {whose} is {shown(text)}; legal: x,y;x,y;... in pixels") from None
