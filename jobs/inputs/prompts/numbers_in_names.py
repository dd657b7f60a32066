"""Which number in the names of masks is the frame: one reading for all names, or a refusal that lists the readings."""

import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from jobs.errors import PromptError

NUMBER = re.compile(r"[0-9]+")
FRAME_WORD = re.compile(r"(?:^|[^a-z])(?:frame|frm)[^a-z0-9]?$", re.IGNORECASE)  # right before the number
# Roboflow names an export's images clip_mp4-0003_jpg.rf.8b1f...: the video, the frame, a format and a digest.
DIGEST = re.compile(r"(?:_(?:jpe?g|png|bmp|webp))?\.rf\.[0-9A-Za-z]+$")
CHOICE = "Name masks by their frames alone, such as 00012.png, or say in the manifest's column mask_names what is what"


def frame_numbers(names: Sequence[str], video_names: Collection[str]) -> dict[str, int]:
    """The frame number in each file name. Raises PromptError.

    A name with one number is read. Of names with several, the number after the word "frame" is read, or the one number
    that differs from name to name while no other looks more like a frame's. video_names: what the video is called; a
    name may begin with it, and its numbers are then none of frames.
    """
    places = {name: _numbers(stem_of(name), video_names) for name in names}
    if none := next((name for name, found in places.items() if not found), None):
        raise PromptError(f"mask {_last_part(none)} says no frame; its name must be a number, such as 00000.png")
    if all(len(found) == 1 for found in places.values()):
        return {name: int(found[0][0]) for name, found in places.items()}
    after_word = {name: [number for number, is_frame in found if is_frame] for name, found in places.items()}
    if all(len(numbers) == 1 for numbers in after_word.values()):
        return {name: int(numbers[0]) for name, numbers in after_word.items()}
    position = _position_of_frame(list(places.values()))
    if position is None:
        raise PromptError(_describe(places))
    return {name: int(found[position][0]) for name, found in places.items()}


def stem_of(name: str) -> str:
    """A file's name without folders and ending."""
    return PurePosixPath(name.replace("\\", "/")).stem


def _last_part(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name[:200]


def _numbers(stem: str, video_names: Collection[str]) -> list[tuple[str, bool]]:
    """The numbers in a name, and whether the word "frame" stands before each."""
    start = max((len(video) for video in video_names if _begins_with(stem, video)), default=0)
    end = found.start() if (found := DIGEST.search(stem, start)) else len(stem)
    return [(n[0], bool(FRAME_WORD.search(stem[start : n.start()]))) for n in NUMBER.finditer(stem, start, end)]


def _begins_with(name: str, video: str) -> bool:
    """Whether a name is a video's and something after it: "cam2_7" begins with "cam2", and "cam21" does not."""
    return bool(video) and len(name) > len(video) and name.startswith(video) and not name[len(video)].isalnum()


def _position_of_frame(found: Sequence[Sequence[tuple[str, bool]]]) -> int | None:
    """The place of the one number that differs from name to name; None if another might be the frame as well."""
    if len({len(numbers) for numbers in found}) > 1:
        return None
    columns = [[number for number, _ in column] for column in zip(*found, strict=True)]
    differing = [position for position, column in enumerate(columns) if len(set(column)) > 1]
    if len(differing) != 1:
        return None
    constant = [column[0] for position, column in enumerate(columns) if position != differing[0]]
    width = min(map(len, columns[differing[0]]))
    # 00003_label1, 00003_label2: what differs is the object. cam2_00003, cam2_00012: what differs is the frame.
    return None if any(number.startswith("0") and len(number) >= max(3, width) for number in constant) else differing[0]


def _describe(places: dict[str, list[tuple[str, bool]]]) -> str:
    name, found = next((name, found) for name, found in places.items() if len(found) > 1)
    numbers = " or ".join(dict.fromkeys(number for number, _ in found[:8]))
    return f"the name of mask {_last_part(name)} has several numbers, and its frame may be {numbers}. {CHOICE}"
