"""The manifest's column `mask_names`: which part of a mask's name is its frame, and which its object."""

import re
from functools import cached_property

PLACES = re.compile(r"(\{[^{}]*\}|\*)")
LEGAL = {"{frame}": r"(?P<frame>[0-9]+)", "{object}": r"(?P<object>[^/]+?)", "*": r"[^/]*?"}


class MaskNamePattern:
    """A pattern such as `*_{frame}`, `{frame}/{object}` or `{frame}_label{object}`.

    It stands for a mask's path below `prompts`, without the file's ending: {frame} for the digits of the frame,
    {object} for the object's id or name where each file is of one object, and * for anything else.
    """

    def __init__(self, pattern: str) -> None:
        """Raises ValueError for a pattern without {frame}, or with other names in braces."""
        self.text = pattern
        places = [part for part in PLACES.findall(pattern) if part != "*"]
        if sorted(places) not in (["{frame}"], ["{frame}", "{object}"]):
            raise ValueError(
                "legal: a mask's path below prompts, without its ending, with {frame} for the frame's number, "
                "{object} for the object where each file is of one object, and * for anything else: *_{frame}_{object}"
            )

    @property
    def has_object(self) -> bool:
        """Whether each file is of one object."""
        return "{object}" in self.text

    @property
    def depth(self) -> int:
        """Folders between `prompts` and the file."""
        return self.text.count("/")

    def match(self, path: str) -> tuple[str, str | None] | None:
        """The digits of the frame, and the object, in a path without its ending; None for a path that does not fit."""
        found = self._expression.fullmatch(path)
        return (found["frame"], found.groupdict().get("object")) if found else None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile("".join(LEGAL.get(part) or re.escape(part) for part in PLACES.split(self.text)))
