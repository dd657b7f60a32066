"""What the stub of S3 holds: the keys of an archive and its objects, all of them empty."""

from collections import UserList
from collections.abc import MutableSequence

OTHERS = 3_000  # files in the folder of a video that lies apart

Archive = tuple[dict[str, bytes], MutableSequence[str]]  # objects, and their sorted keys


def archive(videos: int) -> Archive:
    """The videos `videos/v*.mp4` of a bucket "b", each with a mask in a folder of its own."""
    keys = ((f"b/videos/v{number:08d}.mp4", f"b/masks/v{number:08d}/00000.png") for number in range(videos))
    objects = dict.fromkeys((key for of_video in keys for key in of_video), b"")
    return objects, sorted(objects)


def archive_apart(videos: int) -> Archive:
    """The videos `archive/*/v.mp4` of a bucket "b", each beside its mask and thousands of other files."""
    others = [f"{part}-{number:05d}.jpg" for part in ("frame", "x") for number in range(OTHERS // 2)]
    return _Empty(), _Folders(videos, [*others, "v.mp4", "v.png"])


class _Folders(UserList[str]):
    """The keys of many folders with files of the same names: a sorted list that is made as it is read."""

    def __init__(self, count: int, names: list[str]) -> None:
        super().__init__()
        self._count, self._names = count, sorted(names)

    def __len__(self) -> int:
        return self._count * len(self._names)

    def __getitem__(self, number):  # type: ignore[no-untyped-def, override]
        if not 0 <= number < len(self):
            raise IndexError(number)
        folder, place = divmod(number, len(self._names))
        return f"b/archive/{folder:08d}/{self._names[place]}"


class _Empty(dict[str, bytes]):
    """Objects under any key."""

    def __missing__(self, path: str) -> bytes:
        return b""
