"""Small trees of frames and masks in the layout of DAVIS."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.outputs.label_maps import to_image


def write_tree(root: Path, videos: Mapping[str, int], stride: int = 1, objects: Sequence[int] = (1, 2)) -> None:
    """Write videos of squares that move over noise. videos: frames by name. stride: between frame numbers."""
    for name, frames in videos.items():
        rng = np.random.default_rng(len(name))
        ground = rng.integers(60, 120, (96, 128, 3), dtype=np.uint8)
        for frame in range(frames):
            labels = np.zeros((96, 128), np.int32)
            for object_id in objects:
                left = 20 * object_id + 4 * frame
                labels[15 * object_id : 15 * object_id + 40, left : left + 40] = object_id
            image = np.where(labels[..., None] > 0, (labels[..., None] * 90) % 255, ground).astype(np.uint8)
            for folder, picture, ending in (
                ("JPEGImages", Image.fromarray(image), "jpg"),
                ("Annotations", to_image(labels), "png"),
            ):
                (root / folder / name).mkdir(parents=True, exist_ok=True)
                picture.save(root / folder / name / f"{stride * frame:05d}.{ending}")
