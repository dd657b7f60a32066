"""Carrying masks over: a file some of whose videos are replaced gives way to others, with the masks that stay."""

from collections.abc import Mapping

from jobs.io import storage
from jobs.ledger.changes import Changes
from jobs.ledger.published import Files, Placement, PublishedMasks
from jobs.outputs import store

# A file of more than WHOLE_BYTES, which was merged, is split into parts: a run that makes all masks anew replaces its
# videos shard by shard, and would write most of the file again each time, 22 GB in all for 170 shards of 256 MB.
WHOLE_BYTES, PART_BYTES = 32 * 10**6, 8 * 10**6


class CarryOver:
    """Writes the files that take the place of those with masks of replaced videos."""

    def __init__(self, output: str, published: PublishedMasks) -> None:
        self._output, self._published = output, published

    def write(self, replaced: Mapping[str, set[str]], files: Files, attempt: str, *, record: int) -> Changes:
        """Write the masks that stay as files of an attempt, and return what a commit changes by them.

        replaced: for each file the ids of its videos that are replaced. files: the committed ones. record: the number
        of the commit's. Raises FileNotFoundError for a file whose content is not the committed one.
        """
        changes = Changes()
        for name, video_ids in replaced.items():
            file, changes.files[name] = files[name], None
            assert file
            content, parts = self._published.content(name, file), []
            for first_video, rest in store.without_videos(content, video_ids, _bytes_of_a_part(file)):
                digest = storage.sha256(rest)
                new = Placement(storage.join(attempt, f"{digest[:32]}.parquet"), len(rest), digest)
                storage.write(storage.join(self._output, new.source), rest)
                changes.files[new.name(record)] = new
                parts.append([first_video, new.name(record)])
            if parts:
                changes.moved[name] = parts
        return changes


def _bytes_of_a_part(file: Placement) -> int:
    return PART_BYTES if file.num_bytes > WHOLE_BYTES else WHOLE_BYTES
