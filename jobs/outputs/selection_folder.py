"""The folder of a selection: laid out like an output, and never mistaken for complete before it is."""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pyarrow as pa

from jobs.errors import UserError
from jobs.io import local, storage
from jobs.outputs import store

SELECTION_FILE = "selection.json"
TRUST = pa.field("trust", pa.float32(), metadata={"meaning": "estimate of IoU with the true mask, 0 to 1"})
SELECTED = store.MASKS.append(TRUST)  # a selection's masks


class Selection:
    """A folder or URL prefix that a selection is written to.

    Writing starts with a marker that says "unfinished", then removes the former selection; selection.json comes last.
    """

    def __init__(self, dest: str, output: str) -> None:
        """Raises UserError if `dest` is the output or holds anything but a selection; other files are never touched."""
        self._dest = dest
        if storage.is_same(dest, output):
            raise UserError(f"DEST {dest} is OUTPUT itself; legal: another folder or URL prefix")
        is_taken = storage.find(dest) or storage.folders(dest)
        if is_taken and not is_selection(dest):
            raise UserError(
                f"DEST {dest} holds something else; legal: one that is new, or holds a selection to replace"
            )

    def begin(self, about: dict[str, Any]) -> None:
        """Mark the selection as unfinished, and remove the one that it replaces."""
        self._write(store.UNFINISHED_FILE, about)
        for name in (SELECTION_FILE, store.RUN_FILE, store.VIDEOS_FILE):
            storage.remove(storage.join(self._dest, name))
        for info in storage.find(storage.join(self._dest, "masks"), [".parquet", local.UNFINISHED]):
            storage.remove(info.location)
        storage.remove(storage.join(self._dest, store.RUNS))

    def add_masks(self, number: int, content: bytes) -> str:
        """Write a mask file and return its name, which follows from its content."""
        name = f"{number:08d}-{storage.sha256(content)[:16]}.parquet"
        storage.write(storage.join(self._dest, "masks", name), content)
        return name

    def copy_runs(self, output: str, runs: Iterable[str]) -> None:
        """Copy the options of the runs that made the masks, where the output has them."""
        for file in map(store.run_file, runs):
            with suppress(FileNotFoundError):
                storage.write(storage.join(self._dest, file), storage.read(storage.join(output, file)))

    def finish(self, run: dict[str, Any], about: dict[str, Any]) -> None:
        """Mark the selection as complete, once its masks and its table of videos are written."""
        self._write(store.RUN_FILE, run)
        self._write(SELECTION_FILE, about)
        storage.remove(storage.join(self._dest, store.UNFINISHED_FILE))

    def _write(self, name: str, content: dict[str, Any]) -> None:
        storage.write(storage.join(self._dest, name), json.dumps(content, indent=1).encode())


def is_selection(output: str) -> bool:
    """Whether the folder holds a selection, finished or not."""
    return any(storage.exists(storage.join(output, name)) for name in (SELECTION_FILE, store.UNFINISHED_FILE))


def refuse_selection(output: str) -> None:
    """Raise UserError for a selection: for commands that need a run's own output."""
    if is_selection(output):
        raise UserError(
            f"{output} is a selection; legal: an output of `stcn segment`, such as the one that it was made of"
        )
