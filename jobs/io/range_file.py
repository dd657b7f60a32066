"""A file in any storage as Parquet's readers want one: open, and read here and there."""

import io

from jobs.io import storage


class RangeFile(io.RawIOBase):
    """Reads what is asked for and no more, except that what was fetched last is kept: one request may serve many reads.

    Raises FileNotFoundError and StorageError.
    """

    def __init__(self, info: storage.FileInfo) -> None:
        self._info, self._position = info, 0
        self._fetched, self._offset = b"", 0  # bytes of the file, and where they begin

    def fetch(self, start: int, stop: int) -> None:
        """Have these bytes at hand, in place of those that were."""
        start, stop = max(0, start), min(stop, self._info.num_bytes)
        if start < stop:
            self._fetched, self._offset = storage.read_range(self._info.location, start, stop), start

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """As files do."""
        stop = min(self._position + len(buffer), self._info.num_bytes)
        begin = self._position - self._offset
        if begin < 0 or stop - self._offset > len(self._fetched):
            content = storage.read_range(self._info.location, self._position, stop) if self._position < stop else b""
        else:
            content = self._fetched[begin : stop - self._offset]
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As files do."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._info.num_bytes}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """As files do."""
        return self._position

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True
