"""`masks/`, where readers look: committed files, each put there whole, never changed, and removed when replaced."""

from dataclasses import dataclass

from jobs import storage


@dataclass(frozen=True)
class Placement:
    """One file of an attempt that a commit puts into `masks/`."""

    source: str  # below the output
    num_bytes: int
    sha256: str


Files = dict[str, Placement | None]  # name in masks/ -> what is to stand there; None: nothing


class Published:
    """The `masks/` of one output."""

    def __init__(self, output: str) -> None:
        self._output = output

    def sizes(self) -> dict[str, int]:
        """The files that are there, and their lengths."""
        files = storage.find(storage.join(self._output, "masks"))
        return {storage.name_of(info.location): info.num_bytes for info in files}

    def place(self, name: str, file: Placement) -> bool:
        """Copy a file into `masks/`; whether it is there then, by us or by another driver."""
        try:
            storage.copy(self._source(file), self._target(name))
            return True
        except FileNotFoundError:
            return self._is_whole(name, file)

    def remove(self, name: str) -> None:
        """Take a file out, if it is there."""
        storage.remove(self._target(name))

    def content(self, name: str, file: Placement) -> bytes:
        """A committed file, wherever it is: its driver may be about to publish it. Raises FileNotFoundError."""
        for location in (self._target(name), self._source(file), self._target(name)):
            try:
                content = storage.read(location)
            except FileNotFoundError:
                continue
            if storage.sha256(content) == file.sha256:
                return content
        raise FileNotFoundError(
            f"{self._target(name)} is not what was committed; delete it, and its videos are made again"
        )

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
