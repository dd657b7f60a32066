"""Values of a JSON that anybody may have written, taken out with doubt."""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeVar

from jobs.errors import PromptError

MAX_INTEGER = 2**53  # what all readers of JSON agree on
MAX_TEXT = 1_000  # characters of a file's or a video's name

Record = dict[str, Any]
Key = int | str
T = TypeVar("T")


def shown(value: object) -> str:
    """A value for a message: short, whatever it is, and in ASCII."""
    return ascii(reprlib.repr(value))[1:-1][:120]


def records(of: Record, key: str) -> list[Record]:
    """A list of JSON objects."""
    value = of.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise PromptError(f"the JSON's {key} is {shown(value)}; legal: a list of objects {{...}}")
    return value


def integer(of: Record, key: str, what: str, *, default: int | None = None) -> int:
    """A number that is whole; 5.0 is too, as pandas and SA-V write them."""
    value = of.get(key, default)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise PromptError(f"{key} of {what} is {shown(value)}; legal: a whole number")
    return value


def identifier(of: Record, key: str, what: str) -> Key:
    """An id that others refer to: a number or a text."""
    value = of.get(key)
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise PromptError(f"{key} of {what} is {shown(value)}; legal: a number or a text")
    return value


def text(of: Record, key: str, what: str) -> str | None:
    """A name; None where there is none."""
    value = of.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise PromptError(f"{key} of {what} is {shown(value)}; legal: a text of up to {MAX_TEXT:,} characters")
    return value


def size_of(of: Record) -> tuple[int, int] | None:
    """Height and width, where both are there."""
    height, width = of.get("height"), of.get("width")
    return (height, width) if type(height) is int and type(width) is int else None


def names_of_file(name: str | None) -> set[str]:
    """What a video may be called whose file or first frame's folder has that path: all of it, its end, its stem."""
    path = PurePosixPath((name or "").replace("\\", "/"))
    return {str(path), path.name, path.stem} - {"", "."}


def folder_of(name: str | None) -> str:
    """The folder in the path of a frame, as text; it is never looked for."""
    folder = str(PurePosixPath((name or "").replace("\\", "/")).parent)
    return "" if folder == "." else folder


def choose_video(video_id: str, videos: Mapping[T, Iterable[str]]) -> T:
    """The one of several videos, each with its names, that has an id of the manifest; the only one, whatever it is.

    Raises PromptError.
    """
    if len(videos) == 1:
        return next(iter(videos))
    found = [video for video, names in videos.items() if video_id in names]
    if len(found) == 1:
        return found[0]
    some = sorted({name for names in list(videos.values())[:5] for name in names})
    has = f"{len(found)} videos are called {shown(video_id)}" if found else f"none is called {shown(video_id)}"
    raise PromptError(
        f"of the JSON's {len(videos)} videos {has}; they are called {shown(some)}. Let video_id be one of these, or "
        "write a JSON for each video"
    )


OBJECT_KEYS = ("track_id", "instance_id", "object_id")  # in this order; annotations without any are objects themselves


def object_key(annotations: Sequence[Record]) -> str:
    """The key that holds a video's object ids. Raises PromptError where only some annotations have it."""
    for key in OBJECT_KEYS:
        having = sum(annotation.get(key) is not None for annotation in annotations)
        if having and having < len(annotations):
            raise PromptError(
                f"of the video's {len(annotations)} annotations {having} have {key}; legal: all, or none, where each "
                "annotation's id is an object's"
            )
        if having:
            return key
    return "id"


class Categories:
    """The names in a JSON's `categories`."""

    def __init__(self, content: Record) -> None:
        self._names: dict[Key, str | None] | None = None
        if content.get("categories") is not None:
            categories = records(content, "categories")
            self._names = {identifier(c, "id", "a category"): text(c, "name", "a category") for c in categories}

    def name_of(self, annotation: Record) -> str | None:
        """Of an annotation's category; None where the JSON says none. Raises PromptError for one that is not there."""
        if self._names is None or annotation.get("category_id") is None:
            return None
        category = identifier(annotation, "category_id", "an annotation")
        if category not in self._names:
            raise PromptError(f"an annotation has category_id {shown(category)}, which is not among the categories")
        return self._names[category]


def object_of(annotation: Record, key: str) -> int:
    """An annotation's object id. Raises PromptError."""
    object_id = integer(annotation, key, "an annotation")
    if object_id < 1:
        raise PromptError(f"{key} of an annotation is {object_id}; legal: from 1 up, as 0 is where no object is")
    return object_id
