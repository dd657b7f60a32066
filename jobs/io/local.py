"""Files on local disk that are there whole or not at all."""

import io
import os
import shutil
import uuid
from pathlib import Path
from typing import BinaryIO

COPY_BYTES = 2**20  # that are read at once
UNFINISHED = ".unfinished"  # ending of a file that is being written; with a leading dot, so that readers pass it by


def write(path: Path, content: bytes) -> None:
    """Write a file, replacing one that is there."""
    os.replace(_write_beside(path, content), path)


def write_from(source: Path, target: Path) -> None:
    """Write a copy of a file, replacing one that is there."""
    with source.open("rb") as content:
        os.replace(_write_beside(target, content), target)


def create(path: Path, content: bytes) -> bool:
    """Write a file only if there is none; whether there was none. Of many writers exactly one succeeds.

    Links a finished file into place: O_EXCL would show it empty at first.
    """
    temporary = _write_beside(path, content)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links, such as exFAT
        return _create_exclusively(path, content)
    finally:
        temporary.unlink()
    return True


def copy(source: Path, target: Path) -> None:
    """Let the content be at `target` too, replacing what is there. Raises FileNotFoundError.

    By a link where the target is new: nothing comes between the source being there and the target being there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # it is there, or the file system has no links
        write(target, source.read_bytes())


def _write_beside(path: Path, content: bytes | BinaryIO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    try:
        with temporary.open("xb") as file:
            shutil.copyfileobj(io.BytesIO(content) if isinstance(content, bytes) else content, file, COPY_BYTES)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink(missing_ok=True)  # a full disk is not to stay full of halves
        raise
    return temporary


def _create_exclusively(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True
