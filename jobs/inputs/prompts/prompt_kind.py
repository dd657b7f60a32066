"""A kind of prompts: how it is recognised, and how its masks are read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.inputs.limits import VideoLimits
from jobs.inputs.prompts.frame_size import MAX_RESIZE
from jobs.inputs.prompts.names.frame_names import FrameNames
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.records import Entry


@dataclass(frozen=True, kw_only=True)
class PromptSource:
    """The prompts of one video on local disk, and the facts of the video that their readers need."""

    path: Path  # file or folder that the manifest names
    entry: Entry  # the video's row in the manifest
    frame_names: FrameNames
    size: tuple[int, int] | None = None  # of the frames, (height, width); None: not known yet
    contents: list[Path] = field(default_factory=list)  # of a folder: what FolderContents.find returned
    json: dict[str, Any] = field(default_factory=dict)  # of a JSON file: its content

    @property
    def max_pixels(self) -> int:
        """Pixels that a mask may have; larger ones are refused before they are decoded."""
        return (
            VideoLimits.max_pixels if self.size is None else round(self.size[0] * self.size[1] * (1 + MAX_RESIZE) ** 2)
        )

    def name_of(self, file: Path) -> str:
        """A file's path below `prompts`, or its name if `prompts` is the file."""
        return str(file.relative_to(self.path)) if file != self.path else file.name


@dataclass(frozen=True, kw_only=True)
class FolderContents:
    """Files or folders by which a folder is recognised."""

    find: Callable[[Path], list[Path]]  # in a folder; an empty list if it is of another kind
    singular: str  # for messages: "the folder holds no ..."
    plural: str  # for messages: "the folder holds 3 ..."


@dataclass(frozen=True, kw_only=True)
class PromptKind:
    """A kind of prompts. `kinds.KINDS` lists all of them.

    A kind has one or more of the three signs: a suffix, keys of a JSON, and contents of a folder.
    """

    name: str  # for messages
    add: Callable[[PromptSource, PromptBuilder], None]  # adds all masks of the video; raises PromptError
    suffix: str | None = None  # of a file, in lower case, such as ".parquet"
    json_keys: tuple[str, ...] = ()  # of a JSON object that has all of these
    folder: FolderContents | None = None


def files_with_suffix(folder: Path, suffix: str) -> list[Path]:
    """The files of a folder by name, without hidden ones: a Mac leaves ._00000.png beside 00000.png."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == suffix and not p.name.startswith("."))
