"""Planes that wait on disk for the pass in the other direction: memory does not grow with the video."""

import struct
import zlib
from typing import IO

import numpy as np

from stcn_core.propagation.plane_stack import StackedPlanes

LEVEL = 1  # zlib's
TAIL = struct.Struct("<qIIIQ")  # frame index, objects, height, width, and the bytes of the compressed planes
IDS = np.dtype("<i8")


class DiskPlaneStack:
    """A stack in a file: what is put there last is taken first."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._end = file, 0

    def append(self, kept: StackedPlanes, /) -> None:
        """Put on top. Raises OSError where the disk is full."""
        planes = zlib.compress(kept.planes.tobytes(), LEVEL)
        ids = np.array(kept.object_ids, IDS).tobytes()
        record = planes + ids + TAIL.pack(kept.frame_index, *kept.planes.shape, len(planes))
        self._file.seek(self._end)
        self._end += self._file.write(record)

    def pop(self) -> StackedPlanes:
        """Take what was put there last. Raises IndexError where nothing is left."""
        if not self._end:
            raise IndexError("no planes are left")
        frame, objects, height, width, num_bytes = TAIL.unpack(self._read(TAIL.size))
        ids = np.frombuffer(self._read(objects * IDS.itemsize), IDS)
        planes = np.frombuffer(bytearray(zlib.decompress(self._read(num_bytes))), np.uint8)
        return StackedPlanes(frame, tuple(ids.tolist()), planes.reshape(objects, height, width))

    def _read(self, num_bytes: int) -> bytes:
        """The last bytes; they are taken."""
        self._end -= num_bytes
        self._file.seek(self._end)
        return self._file.read(num_bytes)
