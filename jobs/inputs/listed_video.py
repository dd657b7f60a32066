"""A video whose size and ETag the manifest lists: planning does not ask storage for it, so its actor compares."""

from jobs.errors import VideoError
from jobs.io import storage
from jobs.io.bulk_listing import object_at
from jobs.io.storage import FileInfo
from jobs.records import Entry


def listed_file(entry: Entry) -> FileInfo | None:
    """The video as the manifest lists it; None where it does not."""
    if entry.video_bytes is None or entry.video_etag is None:
        return None
    return object_at(entry.video, entry.video_bytes, entry.video_etag)


def require_as_listed(entry: Entry) -> None:
    """Ask storage for the video if the manifest lists it, and raise VideoError where the two differ.

    Raises FileNotFoundError for a video that is not there, and StorageError.
    """
    listed = listed_file(entry)
    if listed is None:
        return
    found = storage.stat(entry.video)
    if found is None or (found.num_bytes, found.version) != (listed.num_bytes, listed.version):
        has = f"{found.num_bytes} bytes and ETag {found.version}" if found else "a folder there"
        raise VideoError(
            f"the manifest lists {entry.video} with {listed.num_bytes} bytes and ETag {listed.version}, and storage "
            f"has {has}; bring the manifest's video_bytes and video_etag up to date, or leave both empty"
        )
