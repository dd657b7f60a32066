"""Images as label maps: pixel values, or colours of the VOC palette, are object ids."""

from pathlib import Path

import numpy as np
from PIL import Image

from jobs.errors import PromptError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.prompts.frame_size import check_size
from jobs.inputs.prompts.images.soft_edges import soft_values
from jobs.inputs.videos.images import image_size, load_image
from jobs.outputs.palette import voc_ids, voc_palette

INDEXED = ("P", "L", "1", "I", "I;16", "I;16B", "I;16L")  # Pillow's modes that hold one number a pixel
LOSSY = ("JPEG", "MPO")
MAX_COLOURS = 256
VOID = 255  # in benchmarks: pixels that are neither object nor background
VOIDS = (VOID, 10_000)  # that of VOC and DAVIS, and that of MOTS


def open_mask(
    path: Path, max_pixels: int = VideoLimits.max_pixels, *, size: tuple[int, int] | None = None
) -> Image.Image:
    """Open an image of numbers or of RGB colours.

    size: of its frame, (height, width), which is compared before pixels are decoded. Raises PromptError for other modes
    and sizes, and for JPEG.
    """
    try:
        if size is not None:
            check_size(*image_size(path), size)
        image = load_image(path, max_pixels)
    except ValueError as error:
        raise PromptError(f"mask {path.name} cannot be read: {error}") from error
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    if image.format in LOSSY:
        raise _not_hard(path, [], 255)
    if image.mode not in (*INDEXED, "RGB"):
        raise PromptError(
            f"mask {path.name} is a colour image ({image.mode}); legal: indexed or grey, with pixel values that are "
            "object ids, or RGB with the colours of the VOC / DAVIS palette. Save it without transparency"
        )
    return image


def labels_of(image: Image.Image, path: Path) -> np.ndarray:
    """The label map of an opened mask, int32 (H, W). Raises PromptError for unknown colours, soft edges, negative ids.

    path: of the image, for messages.
    """
    if image.mode == "RGB":
        return _ids_of_colours(image, path)
    labels = np.asarray(image).astype(np.int32)
    if labels.min(initial=0) < 0:
        raise PromptError(
            f"mask {path.name} holds {labels.min()}; legal: 0 where there is no object, and ids from 1 up"
        )
    if soft := soft_values(labels):
        raise _not_hard(path, soft, int(labels.max()))
    return labels


def read_labels(path: Path, max_pixels: int = VideoLimits.max_pixels) -> np.ndarray:
    """Read a label map, int32 (H, W). Raises PromptError as `open_mask` and `labels_of` do."""
    return labels_of(open_mask(path, max_pixels), path)


def without_void(ids: set[int]) -> set[int]:
    """Object ids without those of VOIDS, if there are other ids beside them."""
    return ids - set(VOIDS) if len(ids) > 1 else ids


def _not_hard(path: Path, soft: list[int], highest: int) -> PromptError:
    found = f"the values {soft[:5]} between its objects'" if soft else "values between its objects'"
    return PromptError(
        f"mask {path.name} has {found}, as JPEG, smoothing and resampling make them, and each would be an object; "
        f"legal: one value an object. Make a mask of one object hard, Image.fromarray(np.asarray(mask) > {highest // 2}"
        "), and resample masks of several by the nearest neighbour; save them as PNG"
    )


def _ids_of_greys(values: np.ndarray, colours: np.ndarray, path: Path) -> np.ndarray:
    """The values of a grey image that was saved as RGB, unless all of its greys are colours of the VOC palette."""
    greys = colours[colours[:, 0] > 0]
    if len(greys) and (voc_palette()[voc_ids(greys)] == greys).all():
        raise PromptError(
            f"mask {path.name} is RGB with the greys {greys[:5].tolist()}, which may be values or colours of the VOC / "
            f"DAVIS palette, ids {voc_ids(greys)[:5].tolist()}. Save it as grey, .convert('L'), or indexed"
        )
    if soft := soft_values(values):
        raise _not_hard(path, soft, int(values.max()))
    return values


def _ids_of_colours(image: Image.Image, path: Path) -> np.ndarray:
    """The index of each colour in the palette of VOC and DAVIS. Raises PromptError for other colours."""
    counted = image.getcolors(MAX_COLOURS)
    colours = np.array([colour for _, colour in counted or ()], np.uint8).reshape(-1, 3)
    if counted and (colours == colours[:, :1]).all():
        return _ids_of_greys(np.asarray(image)[..., 0].astype(np.int32), colours, path)
    strange = colours[(voc_palette()[voc_ids(colours)] != colours).any(axis=1)]
    if counted is None or len(strange):
        found = f"more than {MAX_COLOURS} colours" if counted is None else f"the colours {strange[:5].tolist()}"
        raise PromptError(
            f"mask {path.name} is a colour image with {found}, which are not the VOC / DAVIS palette's; legal: that "
            "palette's colours, or an indexed or grey image with pixel values that are object ids. Convert it with a "
            "table from colours to ids"
        )
    return voc_ids(np.asarray(image)).astype(np.int32)
