"""Find the frame of a mask or an image by its name."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from jobs.errors import PromptError


class FrameNames:
    """The names of a video's frames if the video is a folder of images. Frames of a video file have no names."""

    def __init__(self, names: Sequence[str] | None) -> None:
        self.count = None if names is None else len(names)
        self._first = names[0] if names else None
        self._index: dict[str, int] = {}
        for index, name in enumerate(names or ()):
            self._index.setdefault(name, index)

    def find(self, name: str) -> int | None:
        """The index of the frame with the name of a file, without folders and suffix; None if there is none."""
        return self._index.get(_stem(name))

    def frame_of(self, name: str) -> int:
        """The index of the frame that a file name denotes, by name or by number. Raises PromptError."""
        if (frame := self.find(name)) is not None:
            return frame
        numbers = re.findall(r"[0-9]+", _stem(name))
        if self.count is not None or not numbers:
            legal = f"a frame's name, such as {self._first}" if self._first else "a number, such as 00000.png"
            raise PromptError(f"mask {PurePosixPath(name).name[:200]} says no frame; its name must be {legal}")
        return int(numbers[-1])  # cam2_00012 is frame 12

    def by_frame(self, files: Iterable[Path]) -> dict[int, Path]:
        """Files by frame index, in order. Raises PromptError, also for two files of one frame."""
        frames: dict[int, Path] = {}
        for file in files:
            other = frames.setdefault(self.frame_of(file.name), file)
            if other is not file:
                raise PromptError(
                    f"masks {other.name} and {file.name} are of one frame; legal: one mask with all its objects, or a "
                    "folder for each object"
                )
        return dict(sorted(frames.items()))


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem
