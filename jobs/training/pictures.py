"""Pictures for synthetic clips, read from a folder: photographs as surfaces, pictures with alpha as things."""

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.errors import UserError
from jobs.inputs.videos.images import IMAGES, load_image, to_rgb
from jobs.training.annotated import load_annotated
from stcn_core.synthetic.pictures import Pictures

# Pixels at most. Clips show parts of photographs, but whole things.
PHOTOGRAPH_SIZE, THING_SIZE = (800, 600), (288, 288)


@lru_cache(maxsize=1)
def load_pictures(folder: str) -> Pictures:
    """Load all pictures below a folder, scaled down. Raises UserError for no pictures, or an unreadable one."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGES)
    pictures = Pictures.from_images([_load(path) for path in paths])
    if not pictures.photographs and not pictures.cut_outs:
        raise UserError(f"--textures {folder} holds no pictures; legal: files that end in {' '.join(IMAGES)}")
    return pictures


@lru_cache(maxsize=2)
def load_all_pictures(textures: str, images: tuple[str, ...], photographed: float) -> Pictures | None:
    """Load a folder of pictures, and folders of photographs with masks; None for neither. Raises UserError.

    photographed: share of the scenes that show one of the photographs with masks.
    """
    pictures = load_pictures(textures) if textures else Pictures([], []) if images else None
    annotated = [photograph for folder in images for photograph in load_annotated(folder)]
    return pictures.with_annotated(annotated, photographed) if pictures and annotated else pictures


def digest(folder: str, files: Iterable[Path] = ()) -> str:
    """Return the SHA-256 of pictures' names and contents, which identifies them in a model card.

    files: below the folder; by default all pictures there.
    """
    import hashlib

    sha256 = hashlib.sha256()
    found = (path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGES)
    for path in sorted(files or found):
        sha256.update(os.fsencode(path.relative_to(folder)) + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return sha256.hexdigest()


def _load(path: Path) -> np.ndarray:
    """Load a picture, upright: (H, W, 3), or (H, W, 4) if it has alpha. Raises UserError."""
    try:
        image = load_image(path, upright=True)
        has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        converted = image.convert("RGBA") if has_alpha else to_rgb(image)
    except ValueError as error:
        raise UserError(f"--textures: {path} cannot be read: {error}") from error
    converted.thumbnail(THING_SIZE if has_alpha else PHOTOGRAPH_SIZE, Image.Resampling.LANCZOS)
    return np.array(converted)
