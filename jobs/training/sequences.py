"""Real frames with masks, from trees like those of DAVIS and YouTube-VOS, and from exported outputs of `stcn`."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from jobs.errors import PromptError, UserError
from jobs.inputs.manifest_tree import sequences_folder
from jobs.inputs.prompts.frame_size import fit
from jobs.inputs.prompts.images.mask_images import read_labels
from jobs.inputs.videos.images import IMAGES, load_image, natural_sort_key, to_rgb
from jobs.io import storage


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """The frames of one video that have masks, in order."""

    name: str
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    stride: int  # the median distance of neighbouring masks, in frames of the video

    def load(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Load a frame (H, W, 3) and its label map (H, W). Raises UserError."""
        image, mask = self.images[index], self.masks[index]
        try:
            picture, labels = to_rgb(load_image(image)), read_labels(mask)
            labels = fit(labels, picture.height, picture.width)
        except (ValueError, PromptError) as error:
            raise UserError(f"--data: {image} with {mask} cannot be used: {error}") from error
        return np.asarray(picture), labels


@lru_cache(maxsize=16)
def find_sequences(tree: str) -> tuple[Sequence, ...]:
    """All videos of a tree: JPEGImages and Annotations with a folder for each. Raises UserError if there are none."""
    images, masks = (Path(sequences_folder(storage.join(tree, name))) for name in ("JPEGImages", "Annotations"))
    if not images.is_dir() or not masks.is_dir():
        raise UserError(
            f"--data {tree} has no JPEGImages and Annotations; legal: a tree with them, or an output of stcn"
        )
    found = (_sequence(folder, images / folder.name) for folder in sorted(masks.iterdir()) if folder.is_dir())
    sequences = tuple(sequence for sequence in found if sequence.masks)
    if not sequences:
        raise UserError(f"--data {tree} holds no frame that has both an image and a mask of the same name")
    return sequences


def _sequence(masks: Path, images: Path) -> Sequence:
    """Pair the masks and images of one video by name."""
    by_name = {path.stem: path for path in images.glob("*") if path.suffix.lower() in IMAGES}
    paths = sorted(masks.glob("*.png"), key=lambda path: natural_sort_key(path.stem))
    both = [path for path in paths if path.stem in by_name]
    numbers = [int(path.stem) for path in both if path.stem.isdecimal()]
    steps = np.diff(numbers)
    stride = max(1, int(np.median(steps))) if len(steps) and len(numbers) == len(both) else 1
    return Sequence(
        name=masks.name, images=tuple(by_name[path.stem] for path in both), masks=tuple(both), stride=stride
    )
