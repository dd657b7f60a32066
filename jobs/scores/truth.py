"""Trees of true masks: DAVIS 2016 and 2017, YouTube-VOS, or a folder with a folder of indexed PNGs for each video."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.errors import UserError
from jobs.inputs.manifest import sequences_folder
from jobs.inputs.prompts.images.mask_images import read_labels
from jobs.inputs.videos.images import natural_sort_key
from jobs.io import storage
from jobs.outputs.file_names import own_name

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
        self.names = {storage.name_of(folder) for folder in folders}

    def name_of(self, video_id: str) -> str | None:
        """The name of a video's folder; None if there is none.

        An id that is no legal folder name, such as a/b, has its masks in the folder that `export` writes for it.
        """
        if self.is_one_video:
            return ""
        name = own_name(video_id)
        return name if name in self.names else None

    def folder(self, name: str) -> str:
        """The location of a folder of this name."""
        return storage.join(self._root, name) if name else self._root


def open_truth(folder: str, local: Path) -> Truth:
    """The masks of one folder. Remote files are downloaded to `local` as they are read. `read` raises PromptError."""
    files = {Path(info.location).stem: info.location for info in storage.find(folder, [".png"])}
    names = sorted(files, key=natural_sort_key)
    return Truth(names, lambda name: read_labels(storage.download(files[name], local)))
