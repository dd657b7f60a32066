"""Read NumPy's .npz, a ZIP of arrays, within bounds that are checked from its headers before any array is read."""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jobs.errors import PromptError, printable
from jobs.inputs.prompts.annotations.fields import shown

SUFFIX, MEMBER = ".npz", ".npy"
MAX_DIRECTORY = 16 * 2**20  # bytes of the list of arrays, which takes ten times that in memory
MAX_BYTES = 2**32  # of all arrays once decompressed, which deflate can make of 4 MB: all legal masks, as int64
END = struct.Struct("<4s4H2LH")  # a ZIP's last record, without a comment
ZIP64 = b"PK\x06\x07"
LOCATOR_BYTES = 20  # of the record before the last one in a ZIP64
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, TypeError, SyntaxError,
    RuntimeError, NotImplementedError,  # zipfile's for encryption, and for methods that it does not know
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Header:
    """What an array claims to be, which its size in the ZIP bears out."""

    shape: tuple[int, ...]
    dtype: np.dtype
    start: int  # of the values in the member


class Npz:
    """The arrays of a file, by name."""

    def __init__(self, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> None:
        self._archive, self._members = archive, members
        self.headers = {name: _header(archive, member) for name, member in members.items()}

    def planes(self, name: str, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """The arrays (H, W) of which an array (..., H, W) is made, in order, one at a time in memory."""
        header = self.headers[name]
        num_bytes = size[0] * size[1] * header.dtype.itemsize
        with self._archive.open(self._members[name]) as file:
            file.read(header.start)
            for _ in range(int(np.prod(header.shape[:-2], dtype=np.int64))):
                yield np.frombuffer(file.read(num_bytes), header.dtype).reshape(size)

    def numbers(self, name: str, count: int) -> list[int]:
        """The values of an array of `count` whole numbers. Raises PromptError."""
        header = self.headers[name]
        if header.shape != (count,) or header.dtype.kind not in "iu":
            raise PromptError(
                f"the array {name} is {header.dtype} of shape {shown(header.shape)}; legal: {count} whole numbers, "
                f"({count},)"
            )
        (values,) = self.planes(name, (1, count))
        return [int(value) for value in values[0]]


@contextmanager
def open_npz(path: Path) -> Iterator[Npz]:
    """Open a file of arrays, none of which is read or unpickled before it is asked for. Raises PromptError."""
    if not path.is_file():
        raise PromptError(f"prompts {path.name} cannot be read: it does not exist, or is no regular file")
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            yield Npz(archive, _members(archive))
    except BROKEN as error:
        raise PromptError(f"prompts {path.name} cannot be read as .npz: {printable(str(error))[:400]}") from error


def _check_directory(path: Path) -> None:
    """Compare the size of the list of arrays with a bound: zipfile reads all of it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - END.size - LOCATOR_BYTES))
        tail = file.read()
    if len(tail) < END.size or not tail[-END.size :].startswith(b"PK\x05\x06") or tail[:4] == ZIP64:
        raise ValueError("it does not end as np.savez ends it; legal: up to 4 GB, by np.savez or np.savez_compressed")
    directory = END.unpack(tail[-END.size :])[5]
    if directory > MAX_DIRECTORY:
        raise ValueError(f"its list of arrays has {directory:,} bytes; legal: up to {MAX_DIRECTORY:,}")


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if (num_bytes := sum(info.file_size for info in infos)) > MAX_BYTES:
        raise ValueError(f"its arrays have {num_bytes:,} bytes; legal: up to {MAX_BYTES:,}. Save them as uint8")
    for info in infos:
        if not info.filename.endswith(MEMBER) or info.compress_type not in METHODS:
            raise ValueError(f"it holds {info.filename[:100]!a}; legal: arrays alone, as np.savez writes them")
    members = {info.filename.removesuffix(MEMBER): info for info in infos}
    if len(members) < len(infos):
        raise ValueError("two of its arrays have one name")
    return members


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    """What an array claims. Headers of version 2 may be of any length, and NumPy needs them for tables alone."""
    with archive.open(member) as file:
        if (version := np.lib.format.read_magic(file)) != (1, 0):
            raise ValueError(f"{member.filename[:100]!a} has the version {version}; legal: (1, 0)")
        try:
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        except (MemoryError, tokenize.TokenError) as error:  # of a header that nests deeply
            raise ValueError(f"{member.filename[:100]!a} has a header that cannot be read") from error
        start = file.tell()
    claimed = start + dtype.itemsize
    for side in shape:
        claimed = start + (claimed - start) * side
    if is_fortran and len(shape) > 1:
        raise ValueError(f"{member.filename[:100]!a} is in Fortran's order; legal: np.ascontiguousarray of it")
    if dtype.kind not in "biu" or min(shape, default=1) < 1 or claimed != member.file_size:
        raise ValueError(
            f"{member.filename[:100]!a} is {dtype} of shape {shown(shape)} in {member.file_size:,} bytes; legal: whole "
            "numbers, or True and False, such as (masks > 0), and all of them"
        )
    return Header(shape=shape, dtype=dtype, start=start)
