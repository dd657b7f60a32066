"""Read values of an untrusted JSON, with a check of each."""

import reprlib
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

from jobs.errors import PromptError

MAX_INTEGER = 2**53  # all readers of JSON agree up to here
MAX_TEXT = 1_000  # characters of a file's or a video's name

Record = dict[str, Any]
Key = int | str
T = TypeVar("T")


def shown(value: object) -> str:
    """A value for a message: short and in ASCII, whatever it is."""
    return ascii(reprlib.repr(value))[1:-1][:120]


def records(record: Record, key: str) -> list[Record]:
    """A list of JSON objects."""
    value = record.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise PromptError(f"the JSON's {key} is {shown(value)}; legal: a list of objects {{...}}")
    return value


def integer(record: Record, key: str, owner: str, *, default: int | None = None) -> int:
    """A whole number. 5.0 is accepted, as pandas and SA-V write it. owner: whose value it is, for the message."""
    given = record.get(key, default)
    value = int(given) if type(given) is float and given.is_integer() else given
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise PromptError(f"{key} of {owner} is {shown(given)}; legal: a whole number")
    return value


def identifier(record: Record, key: str, owner: str) -> Key:
    """An id to which other records refer: a number or a text."""
    value = record.get(key)
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise PromptError(f"{key} of {owner} is {shown(value)}; legal: a number or a text")
    return value


def text(record: Record, key: str, owner: str) -> str | None:
    """A name, or None if there is none."""
    value = record.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise PromptError(f"{key} of {owner} is {shown(value)}; legal: a text of up to {MAX_TEXT:,} characters")
    return value


def size_of(record: Record) -> tuple[int, int] | None:
    """Height and width, or None if one is missing. Raises PromptError for values that are no numbers."""
    if record.get("height") is None or record.get("width") is None:
        return None
    height, width = (integer(record, key, "an image or video") for key in ("height", "width"))
    return height, width


def names_of_file(name: str | None) -> set[str]:
    """Names by which a manifest may call the video of a path: the whole path, its last part, and its stem."""
    path = PurePosixPath((name or "").replace("\\", "/"))
    return {str(path), path.name, path.stem} - {"", "."}


def folder_of(name: str | None) -> str:
    """The folder in the path of a frame, as text. The folder is never opened."""
    folder = str(PurePosixPath((name or "").replace("\\", "/")).parent)
    return "" if folder == "." else folder


def choose_video(video_id: str, videos: Mapping[T, Iterable[str]], *, file: str = "JSON") -> T:
    """Choose the video with an id of the manifest among its names. A single video is chosen whatever its names.

    file: the format, for the message. Raises PromptError.
    """
    if len(videos) == 1:
        return next(iter(videos))
    found = [video for video, names in videos.items() if video_id in names]
    if len(found) == 1:
        return found[0]
    some = sorted({name for names in list(videos.values())[:5] for name in names})
    has = f"{len(found)} videos are called {shown(video_id)}" if found else f"none is called {shown(video_id)}"
    raise PromptError(
        f"of the {file}'s {len(videos)} videos {has}; they are called {shown(some)}. Let video_id be one of these, or "
        f"write one {file} for each video"
    )
