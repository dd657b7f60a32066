"""The manifest's column `mask_names`: which part of a mask's name is its frame, and which its object."""

import re
from functools import cached_property

PLACES = re.compile(r"(\{[^{}]*\}|\*)")
LEGAL = {"{frame}": r"(?P<frame>[0-9]+)", "{object}": r"(?P<object>[^/]+?)", "*": r"[^/]*?"}
LEGAL_OF_IMAGES = LEGAL | {"{frame}": r"(?P<frame>[^/]+?)"}  # a frame may be called by its image's name
LEGAL_PLACES = (["{frame}"], ["{object}"], ["{frame}", "{object}"])


class MaskNamePattern:
    """A pattern such as `*_{frame}`, `{frame}/{object}` or `{frame}_label{object}`.

    It stands for a mask's path below `prompts`, without the file's ending: {frame} for the digits of the frame or the
    name of its image, {object} for the object's id or name where each file is of one object, and * for anything else.
    Without {frame} all masks are of the first segmented frame.
    """

    def __init__(self, pattern: str) -> None:
        """Raises ValueError for a pattern without {frame} and {object}, and for other names in braces."""
        self.text = pattern.removesuffix(".png")
        places = [part for part in PLACES.findall(pattern) if part != "*"]
        if sorted(places) not in LEGAL_PLACES or self.depth > 1:
            raise ValueError(
                "legal: a mask's path below prompts, without its ending and with one folder at most, with {frame} for "
                "the frame's number, {object} for the object where each file is of one object, and * for anything "
                "else: *_{frame}_{object}"
            )

    @property
    def has_object(self) -> bool:
        """Whether each file is of one object."""
        return "{object}" in self.text

    @property
    def depth(self) -> int:
        """Folders between `prompts` and the file."""
        return self.text.count("/")

    def match(self, path: str, *, of_images: bool = False) -> tuple[str | None, str | None] | None:
        """The frame and the object in a path without its ending; None for a path that does not fit.

        of_images: whether the frame may be called by the name of its image.
        """
        found = self._expressions[of_images].fullmatch(path)
        return (found.groupdict().get("frame"), found.groupdict().get("object")) if found else None

    @cached_property
    def _expressions(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        def of(legal: dict[str, str]) -> re.Pattern[str]:
            return re.compile("".join(legal.get(part) or re.escape(part) for part in PLACES.split(self.text)))

        return of(LEGAL), of(LEGAL_OF_IMAGES)
