"""Which number in the names of masks is the frame: one reading for all names, or a refusal that lists the readings."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from jobs.errors import PromptError

NUMBER = re.compile(r"[0-9]+")
OBJECT_WORD = re.compile(r"(?:^|[^a-z])(?:obj|object|inst|instance|id|label|track)s?[^a-z0-9]?$", re.IGNORECASE)
MASK_WORD = re.compile(r"(?:^|[^a-z])(?:mask|seg|segmentation)s?[^a-z0-9]?$", re.IGNORECASE)
FRAME_WORD = re.compile(r"(?:^|[^a-z])(?:frame|frm)[^a-z0-9]?$", re.IGNORECASE)  # right before the number
# Roboflow names an export's images clip_mp4-0003_jpg.rf.8b1f...: the video, the frame, a format and a digest.
DIGEST = re.compile(r"(?:_(?:jpe?g|png|bmp|webp))?\.rf\.[0-9A-Za-z]+$")
CHOICE = "Name masks by their frames alone, such as 00012.png, or say in the manifest's column mask_names what is what"


def frame_numbers(names: Sequence[str], video_names: Collection[str], frames: int | None = None) -> dict[str, int]:
    """The frame number in each file name. Raises PromptError.

    A name with one number is read. Of names with several, the number after the word "frame" is read, or the one number
    that differs from name to name while no other looks more like a frame's. video_names: what the video is called; a
    name may begin with it, and its numbers are then none of frames. frames: of the video, as far as it is known.
    """
    places = {name: _numbers(stem_of(name), video_names) for name in names}
    if none := next((name for name, found in places.items() if not found), None):
        raise PromptError(f"mask {none[:200]} says no frame; its name must be a number, such as 00000.png. {CHOICE}")
    if all(len(found) == 1 for found in places.values()):
        are_counted = _are_counted_masks([found[0] for found in places.values()], frames)
        if of_object := next((n for n, found in places.items() if are_counted or found[0].is_objects), None):
            raise PromptError(
                f"the number in the name of mask {_last_part(of_object)} may be a frame or an object's. {CHOICE}"
            )
        return {name: int(found[0].digits) for name, found in places.items()}
    after_word = {name: [number for number in found if number.is_frames] for name, found in places.items()}
    if all(len(numbers) == 1 for numbers in after_word.values()):
        return {name: int(numbers[0].digits) for name, numbers in after_word.items()}
    position = _position_of_frame(list(places.values()))
    if position is None:
        raise PromptError(_describe(places))
    return {name: int(found[position].digits) for name, found in places.items()}


def stem_of(name: str) -> str:
    """A file's name without folders and ending."""
    return PurePosixPath(name.replace("\\", "/")).stem


def _last_part(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name[:200]


@dataclass(frozen=True)
class _Number:
    """One number in a name, and what stands before it."""

    digits: str
    before: str

    @property
    def is_padded(self) -> bool:
        """Whether it has as many digits as frames have, and few objects need."""
        return len(self.digits) >= 3 and self.digits.startswith("0")

    @property
    def is_frames(self) -> bool:
        return bool(FRAME_WORD.search(self.before))

    @property
    def is_objects(self) -> bool:
        return bool(OBJECT_WORD.search(self.before)) and not self.is_padded

    @property
    def is_in_word(self) -> bool:
        """Whether a letter stands right before it: that of cam2 is of the camera."""
        return self.before[-1:].isalpha()


def _numbers(stem: str, video_names: Collection[str]) -> list[_Number]:
    start = max((len(video) for video in video_names if _begins_with(stem, video)), default=0)
    end = found.start() if (found := DIGEST.search(stem, start)) else len(stem)
    return [_Number(n[0], stem[start : n.start()]) for n in NUMBER.finditer(stem, start, end)]


def _begins_with(name: str, video: str) -> bool:
    """Whether a name is a video's and something after it: "cam2_7" begins with "cam2", and "cam21" does not."""
    return bool(video) and len(name) > len(video) and name.startswith(video) and not name[len(video)].isalnum()


def _are_counted_masks(numbers: Sequence[_Number], frames: int | None) -> bool:
    """Whether masks are called mask_0, mask_1, ... as one frame's objects are, and are not one for each frame."""
    counted = sorted(int(number.digits) for number in numbers)
    return (
        1 < len(counted) != frames
        and counted[0] <= 1
        and counted == [*range(counted[0], counted[0] + len(counted))]
        and all(MASK_WORD.search(number.before) and not number.is_padded for number in numbers)
    )


def _position_of_frame(found: Sequence[Sequence[_Number]]) -> int | None:
    """The place of the one number that differs from name to name; None if another might be the frame as well.

    In 00003_label1 and 00003_label2 what differs is the object, in cam2_00003 and cam2_00012 the frame. In mask_0_1 and
    mask_0_2 it may be either.
    """
    if len({len(numbers) for numbers in found}) > 1:
        return None
    columns = list(zip(*found, strict=True))
    differing = [n for n, column in enumerate(columns) if len({number.digits for number in column}) > 1]
    if len(differing) != 1 or any(number.is_objects for number in columns[differing[0]]):
        return None
    constant = [column[0] for position, column in enumerate(columns) if position != differing[0]]
    width = min(len(number.digits) for number in columns[differing[0]])
    if any(number.is_padded and len(number.digits) >= width for number in constant):
        return None
    is_padded = any(number.is_padded for number in columns[differing[0]])
    return differing[0] if is_padded or all(number.is_in_word for number in constant) else None


def _describe(places: dict[str, list[_Number]]) -> str:
    name, found = next((name, found) for name, found in places.items() if len(found) > 1)
    numbers = " or ".join(dict.fromkeys(number.digits for number in found[:8]))
    return f"the name of mask {_last_part(name)} has several numbers, and its frame may be {numbers}. {CHOICE}"
