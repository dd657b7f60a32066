"""Local folders that a command writes beside an output, and never into it."""

import os
from pathlib import Path

from jobs.errors import UserError
from jobs.io import storage

OWN = ("", "masks", "videos", "runs", "_ledger", "_attempts")  # below an output: its readers would take what is there


def check_destination(dest: Path, output: str) -> None:
    """Raise UserError for a destination that is a URL, a file, or a folder of the output itself."""
    if ":/" in str(dest):  # a Path keeps one slash of "://"
        raise UserError(f"DEST {dest} is no local folder; write to one, and copy it from there")
    if dest.exists() and not dest.is_dir():
        raise UserError(f"DEST {dest} is a file; legal: a folder, new or from the same command")
    if any(_is_same(dest, storage.join(output, name)) for name in OWN):
        raise UserError(f"DEST {dest} is OUTPUT, or a folder of its own; legal: another folder")


def _is_same(dest: Path, location: str) -> bool:
    return "://" not in location and os.path.realpath(dest) == os.path.realpath(location)
