"""`masks/`, where readers look: committed files, each put there whole, never changed, and removed when replaced.

A name is used once: it begins with the number of the record that placed the file. So putting a file there twice does
what doing so once does, and who comes late to remove one removes nothing that was made since.
"""

from dataclasses import dataclass

from jobs.io import local, storage


@dataclass(frozen=True)
class Placement:
    """One file of an attempt that a commit puts into `masks/`."""

    source: str  # below the output
    num_bytes: int
    sha256: str

    def name(self, record: int) -> str:
        """What it is called in `masks/`, placed by the record of this number."""
        return f"{record:08d}-{self.sha256[:16]}.parquet"


Files = dict[str, Placement | None]  # name in masks/ -> what is to stand there; None: nothing


class PublishedMasks:
    """The `masks/` of one output."""

    def __init__(self, output: str) -> None:
        self._output = output

    def sizes(self) -> dict[str, int]:
        """The files that are there, and their lengths."""
        files = storage.find(storage.join(self._output, "masks"))
        return {storage.name_of(info.location): info.num_bytes for info in files}

    def place(self, name: str, file: Placement) -> bool:
        """Copy a file into `masks/`; whether it is there then."""
        try:
            storage.copy(self._source(file), self._target(name))
        except FileNotFoundError:  # an earlier try, or the run that has taken over, has placed and removed it
            return self._is_whole(name, file)
        return True

    def remove(self, name: str) -> None:
        """Take a file out, if it is there."""
        storage.remove(self._target(name))

    def remove_unfinished(self) -> None:
        """Take out what a run that was killed was about to write; readers pass it by."""
        for name in self.sizes():
            if name.endswith(local.UNFINISHED):
                self.remove(name)

    def content(self, name: str, file: Placement) -> bytes:
        """A committed file. Raises FileNotFoundError if it is not what was committed."""
        content = storage.read(self._target(name))
        if storage.sha256(content) != file.sha256:
            raise FileNotFoundError(
                f"{self._target(name)} is not what was committed; delete it, and its videos are made again"
            )
        return content

    def awaits(self, file: Placement) -> bool:
        """Whether a file's attempt is there to be published from."""
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
        return storage.join(self._output, "masks", name)
