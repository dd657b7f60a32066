"""A folder of pictures that drawn clips may use: photographs as surfaces, pictures with alpha as things."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.errors import UserError
from jobs.inputs.images import IMAGES, load_image, to_rgb
from stcn_core.synthetic.pictures import Pictures

SIZE, THING_SIZE = (800, 600), (288, 288)  # pixels at most; clips show parts of photographs, and things whole


@lru_cache(maxsize=1)
def load_pictures(folder: str) -> Pictures:
    """All pictures below it, scaled down. Raises UserError where there are none, or one cannot be read."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGES)
    pictures = Pictures.from_images([_load(path) for path in paths])
    if not pictures.photographs and not pictures.cut_outs:
        raise UserError(f"--textures {folder} holds no pictures; legal: files that end in {' '.join(IMAGES)}")
    return pictures


def digest(folder: str) -> str:
    """Of names and contents, by which a model's card says what it was trained on."""
    import hashlib

    found = hashlib.sha256()
    for path in sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGES):
        found.update(os.fsencode(path.relative_to(folder)) + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _load(path: Path) -> np.ndarray:
    try:
        image = load_image(path, upright=True)
        has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        sized = image.convert("RGBA") if has_alpha else to_rgb(image)
    except ValueError as error:
        raise UserError(f"--textures: {path} cannot be read: {error}") from error
    sized.thumbnail(THING_SIZE if has_alpha else SIZE, Image.Resampling.LANCZOS)
    return np.array(sized)
