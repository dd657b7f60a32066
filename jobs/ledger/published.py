"""`masks/`, which readers read: committed files, each placed whole, never changed, and removed when replaced.

A name is used once, since it begins with the number of the record that placed the file. Placing a file is therefore
idempotent, and a late removal cannot hit a newer file.
"""

from dataclasses import dataclass

from jobs.concurrency.threads import inheriting_pool
from jobs.io import local, storage

MASKS = "masks"
PARALLEL_COPIES = 16


@dataclass(frozen=True)
class Placement:
    """One file of an attempt that a commit puts into `masks/`."""

    source: str  # below the output
    num_bytes: int
    sha256: str

    def name(self, record: int) -> str:
        """Name the file in `masks/`. record: the number of the record that places it."""
        return f"{record:08d}-{self.sha256[:16]}.parquet"


Files = dict[str, Placement | None]  # name in masks/ -> the file that belongs there; None: no file


class PublishedMasks:
    """The `masks/` of one output."""

    def __init__(self, output: str) -> None:
        self._output = output

    def sizes(self) -> dict[str, int]:
        """Map the files in `masks/` to their lengths in bytes."""
        files = storage.find(storage.join(self._output, MASKS))
        return {storage.name_of(info.location): info.num_bytes for info in files}

    def place(self, name: str, file: Placement) -> bool:
        """Copy a file into `masks/`; return whether it is there afterwards."""
        try:
            storage.copy(self._source(file), self._target(name))
        except FileNotFoundError:  # an earlier try, or the run that took over, placed the file and removed the source
            return self._is_whole(name, file)
        return True

    def remove(self, *names: str) -> None:
        """Remove files from `masks/`, as far as they are there."""
        storage.remove_files([self._target(name) for name in names])

    def publish(self, files: Files) -> bool:
        """Carry a commit out: remove files, then place the others; return whether all of these are there.

        Old files go first, so that no video is ever there twice. What was placed is removed from its attempts last.
        """
        self.remove(*(name for name, file in files.items() if file is None))
        placed = {name: file for name, file in files.items() if file is not None}
        with inheriting_pool(PARALLEL_COPIES) as pool:
            is_placed = all(list(pool.map(self.place, placed, placed.values())))
        if is_placed:
            storage.remove_files([self._source(file) for file in placed.values()])
        return is_placed

    def remove_unfinished(self) -> None:
        """Remove the unfinished files of killed runs, which readers ignore."""
        for name in self.sizes():
            if name.endswith(local.UNFINISHED):
                self.remove(name)

    def content(self, name: str, file: Placement) -> bytes:
        """Read a committed file. Raises FileNotFoundError if its content differs from the committed one."""
        content = storage.read(self._target(name))
        if storage.sha256(content) != file.sha256:
            raise FileNotFoundError(
                f"{self._target(name)} is not what was committed; delete it, and its videos are made again"
            )
        return content

    def awaits(self, file: Placement) -> bool:
        """Whether the attempt that holds the file is still there, so that the file can be published."""
        return storage.exists(self._source(file))

    def _is_whole(self, name: str, file: Placement) -> bool:
        try:
            info = storage.stat(self._target(name))
        except FileNotFoundError:
            return False
        return info is not None and info.num_bytes == file.num_bytes

    def _source(self, file: Placement) -> str:
        return storage.join(self._output, file.source)

    def _target(self, name: str) -> str:
        return storage.join(self._output, MASKS, name)
