"""Carrying masks over: a file some of whose videos are replaced gives way to one with the masks of its other videos."""

from collections.abc import Mapping

from jobs.io import storage
from jobs.ledger.changes import Changes
from jobs.ledger.published import Files, Placement, PublishedMasks
from jobs.outputs import store


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
            if rest := store.without_videos(self._published.content(name, file), video_ids):
                digest = storage.sha256(rest)
                new = Placement(storage.join(attempt, f"{digest[:32]}.parquet"), len(rest), digest)
                storage.write(storage.join(self._output, new.source), rest)
                changes.files[new.name(record)] = new
                changes.moved[name] = new.name(record)
        return changes
