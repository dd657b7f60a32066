"""Trees of true masks: DAVIS 2016 and 2017, YouTube-VOS, or a folder with a folder of indexed PNGs for each video."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.errors import PromptError, UserError
from jobs.inputs.manifest_tree import sequences_folder
from jobs.inputs.prompts.images.mask_images import labels_of, open_mask
from jobs.inputs.prompts.images.palettes import Palettes
from jobs.inputs.videos.images import natural_sort_key
from jobs.io import storage
from jobs.outputs.file_names import file_name, own_name

YOUTUBE_VOS = "meta.json"  # beside the Annotations of its trees


@dataclass(frozen=True)
class Truth:
    """The true masks of one video."""

    names: Sequence[str]  # of the frames that have one, in order
    read: Callable[[str], np.ndarray]  # a frame's label map, integers (H, W)


class TruthTree:
    """The locations of the true masks of each video."""

    def __init__(self, location: str) -> None:
        """location: a DAVIS or YouTube-VOS tree, a folder with a folder for each video, or one video's folder.

        Raises UserError if it does not exist.
        """
        self.location = location
        root = storage.join(location, "Annotations")
        self._root = sequences_folder(root if storage.exists(root) else location)
        if not storage.exists(self._root):
            raise UserError(f"--truth {location} does not exist; legal: a folder with a folder of masks for each video")
        self.protocol = "youtube-vos" if storage.exists(storage.join(location, YOUTUBE_VOS)) else "davis"
        self.is_one_video = bool(storage.find(self._root, [".png"]))
        folders = [] if self.is_one_video else storage.folders(self._root)
        self.names = {name for folder in folders if not (name := storage.name_of(folder)).startswith(".")}

    def name_of(self, video_id: str) -> str | None:
        """The name of a video's folder; None if there is none.

        Also the folder that `export` writes is found, whose name is escaped where an id is no name for a folder.
        """
        if self.is_one_video:
            return ""
        return next((name for name in (own_name(video_id), file_name(video_id)) if name in self.names), None)

    def folder(self, name: str) -> str:
        """The location of a folder of this name."""
        return storage.join(self._root, name) if name else self._root


def open_truth(folder: str, local: Path) -> Truth:
    """The masks of one folder. Remote files are downloaded to `local` as they are read.

    Raises PromptError if there are none; `read` raises it for those that cannot be used, or contradict each other.
    """
    found = [info for info in storage.find(folder, [".png"]) if not storage.name_of(info.location).startswith(".")]
    files = {Path(info.location).stem: info.location for info in found}
    if not files:
        raise PromptError(f"the folder {storage.name_of(folder)} holds no .png{_what_it_holds(folder)}")
    palettes = Palettes()

    def read(name: str) -> np.ndarray:
        path = storage.download(files[name], local)
        image = open_mask(path)
        palettes.add(image, path)
        return labels_of(image, path)

    return Truth(sorted(files, key=natural_sort_key), read)


def _what_it_holds(folder: str) -> str:
    if jpegs := storage.find(folder, [".jpg", ".jpeg"]):
        return f", but {len(jpegs)} JPEG, whose edges are soft: save masks as PNG"
    if folders := storage.folders(folder):
        return f", but {len(folders)} folders; legal: PNGs with the masks of all objects, one a frame"
    return ""
