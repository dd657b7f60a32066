"""Find the frames of masks and images by their names."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from jobs.errors import PromptError
from jobs.inputs.prompts.names.mask_name_pattern import MaskNamePattern
from jobs.inputs.prompts.names.numbers_in_names import DIGEST, NUMBER, frame_numbers, stem_of

ENDING = re.compile(r"\.(?:jpe?g|png|bmp|webp|tiff?)$", re.IGNORECASE)  # 00003.jpg.png
ADDITION = re.compile(r"[_.-](?:masks?|seg|segmentation|labels?|gt)$", re.IGNORECASE)  # 00003_mask.png


def called(video_id: str, video: str) -> set[str]:
    """What a video is called, which the names of its masks may begin with. video: its location."""
    file = PurePosixPath(video.partition("?")[0])
    return {video_id, file.stem, file.name, file.name.replace(".", "_")} - {""}


@dataclass(frozen=True, kw_only=True)
class FrameNames:
    """How the frames of one video are called: by the names of its images, or by numbers for a video file."""

    images: Sequence[str] | None = None  # names of the images of a folder, without endings; None for a video file
    frames: int | None = None  # of the video, as its file claims; None: no claim
    video_names: Collection[str] = ()  # what the video is called, which masks' names may begin with
    first_number: int = 0  # that names give the video's first frame
    start: int = 0  # the first segmented frame
    pattern: MaskNamePattern | None = None

    def __post_init__(self) -> None:
        if self.images is not None and self.first_number:
            raise PromptError(
                f"first_frame is {self.first_number}, and the video is a folder of images, whose names say the frames; "
                "legal: first_frame of video files alone"
            )

    def frame_of_removal(self, number: int) -> int:
        """The frame from which the column `remove` takes an object: of an image by its name's number, as prompts are.

        Raises PromptError for a number that no image has, where the images have numbers.
        """
        if self.images is None:
            if number < self.first_number:
                raise PromptError(
                    f"remove says frame {number}, and first_frame says that the first is {self.first_number}"
                )
            return number - self.first_number
        if not self._by_number or number in self._by_number:
            return self._by_number.get(number, number)
        raise PromptError(
            f"remove says frame {number}, and no image of the folder has this number, from {self.images[0][:100]} to "
            f"{self.images[-1][:100]}; legal: the number in an image's name"
        )

    def refuse_first_number(self, what: str) -> None:
        """Refuse first_frame where it would change nothing. what: that counts frames from 0."""
        if self.first_number:
            raise PromptError(
                f"first_frame is {self.first_number}, and {what} from 0, whatever files are called; legal: without "
                "first_frame"
            )

    def find(self, name: str) -> int | None:
        """The index of the image with the name of a file, without folders and ending; None if there is none."""
        return self._index.get(stem_of(name))

    def frames_of(self, names: Iterable[str]) -> dict[str, int]:
        """The index of the frame that each name denotes: all by one reading. Raises PromptError.

        names: of files, or paths below `prompts`; folders count for a pattern alone.
        """
        names = list(names)
        if self.pattern:
            return {name: self._frame_of_match(self._matched(name)[0], name) for name in names}
        if self.images is not None:
            return {name: self._image_of(name) for name in names}
        numbers = frame_numbers(names, self.video_names, self.frames)
        return {name: self._shifted(number, name) for name, number in numbers.items()}

    def by_frame(self, files: Iterable[Path]) -> dict[int, Path]:
        """Masks with all objects by frame index, in order. Raises PromptError, also for two masks of one frame."""
        frames: dict[int, Path] = {}
        files = list(files)
        indices = self.frames_of(self._key(file) for file in files)
        for file in files:
            other = frames.setdefault(indices[self._key(file)], file)
            if other is not file:
                raise PromptError(
                    f"masks {other.name} and {file.name} are of one frame; legal: one mask with all its objects, or a "
                    "folder for each object, or {frame} and {object} in the manifest's column mask_names"
                )
        return dict(sorted(frames.items()))

    def object_in(self, name: str) -> str:
        """What the pattern finds for {object}. Raises PromptError for a name that does not fit."""
        return self._matched(name)[1] or ""

    def _key(self, file: Path) -> str:
        """The part of a path that the pattern is about: its last folders and the name."""
        return "/".join(file.parts[-(self.pattern.depth if self.pattern else 0) - 1 :])

    def _matched(self, name: str) -> tuple[str | None, str | None]:
        assert self.pattern
        path = PurePosixPath(name.replace("\\", "/")).with_suffix("")
        found = self.pattern.match("/".join(path.parts[-self.pattern.depth - 1 :]), of_images=self.images is not None)
        if found is None:
            raise PromptError(
                f"mask {name[:200]} does not fit mask_names, which is {self.pattern.text}, without the ending .png"
            )
        return found

    def _frame_of_match(self, frame: str | None, name: str) -> int:
        """The frame that a pattern has found in a name; of a folder, by an image's name or its only number."""
        if frame is None:
            return self.start
        if self.images is None:
            return self._shifted(int(frame), name)
        index = self._index.get(frame, self._by_number.get(int(frame)) if frame.isdecimal() else None)
        return self._image_of(name) if index is None else index

    def _image_of(self, name: str) -> int:
        """The image with the name of a mask, also where that has the image's ending, "_mask" or a digest after it."""
        stem = stem_of(name)
        names = (stem, ENDING.sub("", stem), DIGEST.sub("", stem), ADDITION.sub("", stem))
        index = next((self._index[known] for known in names if known in self._index), None)
        if index is None:
            first = self.images[0] if self.images else "none"
            raise PromptError(
                f"mask {PurePosixPath(name).name[:200]} says no frame; its name must be a frame's name, such as "
                f"{first}, or fit the manifest's column mask_names"
            )
        return index

    @cached_property
    def _by_number(self) -> dict[int, int]:
        """The index of each image whose name holds one number, which no other image has."""
        numbers = {index: NUMBER.findall(name) for name, index in self._index.items()}
        found = [(int(digits[0]), index) for index, digits in numbers.items() if len(digits) == 1]
        counts = Counter(number for number, _ in found)
        return {number: index for number, index in found if counts[number] == 1}

    def _shifted(self, number: int, name: str) -> int:
        if number < self.first_number:
            raise PromptError(
                f"mask {PurePosixPath(name).name[:200]} is of number {number}, and first_frame says that the names "
                f"begin with {self.first_number}"
            )
        return number - self.first_number

    @cached_property
    def _index(self) -> dict[str, int]:
        index: dict[str, int] = {}
        for number, name in enumerate(self.images or ()):
            index.setdefault(name, number)
        return index
