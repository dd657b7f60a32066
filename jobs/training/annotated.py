"""Photographs with masks, read from folders that hold images/ and masks/."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from jobs.errors import PromptError, UserError
from jobs.inputs.prompts.frame_size import fit
from jobs.inputs.prompts.images.mask_images import labels_of, open_mask
from jobs.inputs.videos.images import IMAGES, load_image, to_rgb
from stcn_core.synthetic.photographs import AnnotatedPhotograph

SHORT_SIDE = 320  # pixels at most, of a photograph's shorter side
VOID = 255  # beside other ids: of no object
LEGAL = "legal: a folder with images/ and, under the same names, masks/*.png"


@lru_cache(maxsize=16)
def load_annotated(folder: str) -> tuple[AnnotatedPhotograph, ...]:
    """Load the photographs of a folder, scaled down. Raises UserError."""
    photographs = tuple(_load(image, mask) for image, mask in find_annotated(folder))
    if not any(photograph.objects for photograph in photographs):
        raise UserError(
            f"--images {folder}: no mask shows an object of usable size; legal: PNG masks with ids from 1 to 255"
        )
    return photographs


def find_annotated(folder: str) -> list[tuple[Path, Path]]:
    """Find the images of a folder and the mask of each. Raises UserError for missing folders or masks."""
    images, masks = Path(folder) / "images", Path(folder) / "masks"
    for part in (images, masks):
        if not part.is_dir():
            raise UserError(f"--images {folder} has no folder {part.name}; {LEGAL}")
    paths = sorted(path for path in images.iterdir() if path.suffix.lower() in IMAGES)
    if not paths:
        raise UserError(f"--images {folder}: images/ holds no pictures; legal: files that end in {' '.join(IMAGES)}")
    pairs = [(path, masks / f"{path.stem}.png") for path in paths]
    for path, mask in pairs:
        if not mask.is_file():
            raise UserError(f"--images: {path} has no mask {mask}; {LEGAL}")
    return pairs


def _read_ids(path: Path) -> np.ndarray:
    """Read a mask's ids, (H, W). Soft edges do no harm: each of their values covers too little to be an object.

    Raises PromptError for colours that are no ids, and for ids that are none of 8 bits.
    """
    image = open_mask(path)
    labels = labels_of(image, path) if image.mode == "RGB" else np.asarray(image).astype(np.int32)
    if not 0 <= labels.min() <= labels.max() <= VOID:
        raise PromptError(f"mask {path.name} holds ids from {labels.min()} to {labels.max()}; legal: 0 to {VOID}")
    return labels


def _load(image: Path, mask: Path) -> AnnotatedPhotograph:
    """Load one photograph with its mask. Raises UserError."""
    try:
        picture = to_rgb(load_image(image))
        labels = fit(_read_ids(mask), picture.height, picture.width)
    except (ValueError, PromptError) as error:
        raise UserError(f"--images: {image} with {mask} cannot be used: {error}") from error
    if labels.max() == VOID and len(np.unique(labels[labels > 0])) > 1:
        labels = np.where(labels == VOID, 0, labels)
    scale = min(1.0, SHORT_SIDE / min(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    pixels = np.array(picture.resize(size, Image.Resampling.LANCZOS))
    ids = np.array(Image.fromarray(labels.astype(np.uint8)).resize(size, Image.Resampling.NEAREST))
    return AnnotatedPhotograph.from_labels(
        torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), torch.from_numpy(ids)
    )
