"""One JSON file of several long lists: what becomes of a file of masks is a part of each list, joined at the end."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

HEAD = b'{"info":{"description":"masks of stcn"},"licenses":[]'


@dataclass
class Counts:
    """How many there are so far: ids go on from here, so a part follows from those before it."""

    videos: int = 0
    images: int = 0
    annotations: int = 0
    tracks: int = 0
    masks: int = 0
    categories: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def join(parts: Sequence[Path], sections: Sequence[str], categories: Sequence[str], path: Path) -> None:
    """Write the file. parts: a folder each, with a file for each of `sections`: objects, each with a comma after it."""
    named = [{"id": number, "name": name} for number, name in enumerate(categories, start=1)]
    with path.open("wb") as out:
        out.write(HEAD + b',"categories":' + json.dumps(named).encode())
        for section in sections:
            out.write(f',\n"{section}":['.encode())
            is_empty = True
            for part in parts:
                with (part / section).open("rb") as file:
                    shutil.copyfileobj(file, out, 2**20)
                    is_empty &= file.tell() == 0
            if not is_empty:
                drop_comma(out)
            out.write(b"]")
        out.write(b"}\n")
        out.flush()
        os.fsync(out.fileno())


def drop_comma(out: BinaryIO) -> None:
    """Let what is written next take the place of the last byte."""
    out.seek(-1, os.SEEK_CUR)
