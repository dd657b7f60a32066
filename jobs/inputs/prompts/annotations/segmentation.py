"""Decode one mask of COCO's JSON: compressed RLE, uncompressed RLE, or polygons."""

from typing import Any

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations.fields import shown
from jobs.inputs.prompts.frame_size import check_size, is_near
from jobs.inputs.prompts.prompt_kind import PromptSource
from jobs.outputs import rle


def mask_of(segmentation: Any, size: tuple[int, int] | None, source: PromptSource, *, whose: str) -> np.ndarray:
    """The mask, boolean (H, W). size: height and width of the frame by its record, needed for polygons.

    Raises PromptError for a mask that cannot be decoded, and for one of another size than its record or the video.
    """
    max_pixels = source.max_pixels
    try:
        if isinstance(segmentation, dict):
            _check_rle_size(segmentation, size, source.size)
            return _from_rle(segmentation, max_pixels)
        if isinstance(segmentation, list) and segmentation:
            if size:
                check_size(*size, source.size)
            return _from_polygons(segmentation, size, max_pixels)
        raise ValueError(
            f"its segmentation is {shown(segmentation)}; legal: RLE or polygons, as a box alone is no mask"
        )
    except ValueError as error:
        raise PromptError(f"the mask of {whose} cannot be decoded: {error}") from error


def _check_rle_size(segmentation: dict[str, Any], size: tuple[int, int] | None, frame: tuple[int, int] | None) -> None:
    """Compare an RLE's size with those of its record and of the video's frames. Raises PromptError."""
    match segmentation.get("size"):
        case [int(height), int(width)] if height > 0 and width > 0:
            if size and not is_near(height, width, size):
                raise PromptError(
                    f"a mask is {width}x{height} by its RLE, and {size[1]}x{size[0]} by the height and width of its "
                    "image or video; legal: the same"
                )
            check_size(height, width, frame)


def _from_rle(segmentation: dict[str, Any], max_pixels: int) -> np.ndarray:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int for side in size):
        raise ValueError(f"its size is {shown(size)}; legal: [height, width]")
    if isinstance(counts, str):
        return rle.decode(counts, size[0], size[1], max_pixels=max_pixels)
    if isinstance(counts, list):
        return rle.decode_runs(counts, size[0], size[1], max_pixels=max_pixels)
    raise ValueError(f"its counts are {shown(counts)}; legal: COCO's text, or a list of run lengths")


def _from_polygons(polygons: list[Any], size: tuple[int, int] | None, max_pixels: int) -> np.ndarray:
    if size is None:
        raise ValueError("it is polygons, and the JSON does not say height and width of its frame")
    mask = rle.fill(polygons, *size, max_pixels=max_pixels)
    if not mask.any():
        raise ValueError("its polygons hold no pixel; legal: coordinates in pixels, not shares of the frame")
    return mask
