"""What a compaction changed, or would change, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.costs.quantities import size
from jobs.errors import printable
from jobs.io import storage
from jobs.ledger.published import MASKS
from jobs.planning.merge_plan import SMALLEST, Group, StoredFile


@dataclass(frozen=True)
class Compaction:
    """The files of masks before a compaction, and after it or its plan."""

    before: Sequence[StoredFile]
    after: Sequence[StoredFile] | None = None  # None: nothing was merged
    planned: Sequence[Group] = ()

    def describe(self, output: str) -> str:
        """Number and bytes of the files, and why some stay as they are."""
        head = f"files in {storage.join(output, MASKS)}: {len(self.before):,} of {_size(self.before)}"
        if self.after is not None:
            return f"{head} before, {len(self.after):,} of {_size(self.after)} now; {_why_they_stay(self.after)}"
        if not self.planned:
            return f"{head}; nothing to merge: {_why_they_stay(self.before)}"
        merged = {file.name for group in self.planned for file in group}
        rest = [file for file in self.before if file.name not in merged]
        lines = [f"{head}; to merge: {len(merged):,}, into {len(self.planned):,}"]
        lines += [f"  {len(g):,} from video {printable(g[0].first_video)} on, {_size(g)}" for g in self.planned]
        return "\n".join([*lines, *([f"  as they are: {_why_they_stay(rest)}"] if rest else [])])


def _why_they_stay(files: Sequence[StoredFile]) -> str:
    large, small = ([file for file in files if file.is_small == is_small] for is_small in (False, True))
    of_large = f"{len(large):,} of {size(SMALLEST)} and more"
    of_small = f"{len(small):,} of {_size(small)} that no other small one can be merged with"
    return ", ".join(text for text, some in ((of_large, large or not small), (of_small, small)) if some)


def _size(files: Sequence[StoredFile]) -> str:
    return size(sum(file.num_bytes for file in files))
