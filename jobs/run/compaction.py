"""Compaction: small files of masks become few, through commits of the ledger."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from jobs.actors.merge_tasks import MergeSettings, MergeTasks
from jobs.io import storage
from jobs.io.storage_policy import StoragePolicy
from jobs.ledger.ledger import ATTEMPTS, Commit, Ledger
from jobs.ledger.published import MASKS
from jobs.outputs.merged_file import Source
from jobs.planning.merge_plan import MB, SMALLEST, Group, StoredFile, plan_merges, stored_files
from jobs.records import ShardWritten

TELL_SECONDS = 5.0  # between two notes of progress

Planned = Sequence[tuple[Group, Sequence[Source]]]
Merge = Callable[[Planned], Iterator[tuple[Group, tuple[str, ShardWritten]]]]


@dataclass(frozen=True)
class Compaction:
    """What a compaction changed, or what it would change."""

    before: Sequence[StoredFile]
    after: Sequence[StoredFile]
    groups: Sequence[Group] = ()  # that are not merged

    def describe(self, output: str) -> str:
        """In words: how many files there were and are, and what stays as it is."""
        place, now = storage.join(output, MASKS), _files(self.before)
        if self.groups:
            merged = sum(map(len, self.groups))
            rest = len(self.before) - merged
            text = f"{place} has {now}: {merged} would become about {len(self.groups)}"
            return "\n".join([text, *_sizes(self.groups), *([f"  {rest} stay as they are"] if rest else [])])
        if len(self.after) == len(self.before):
            return f"{place} has {now}; nothing to merge: {_why(self.before)}"
        return f"{place} had {now}, and has {_files(self.after)}: {_why(self.after)}"


def plan_compaction(ledger: Ledger) -> Compaction:
    """What would be merged. Writes nothing."""
    files = stored_files(ledger)
    return Compaction(files, files, plan_merges(files))


def compact(ledger: Ledger, merge: Merge, tell: Callable[[str], None], *, output: str) -> Compaction:
    """Merge small files until there is nothing to merge, and commit each merged file as it comes.

    ledger: of a run that has begun. merge: merges groups, in processes of its own. tell: shows progress.
    Merged files may be smaller than all of theirs together, where these are tiny, so a plan is made again.
    """
    before, told = stored_files(ledger), time.monotonic()
    while groups := plan_merges(stored_files(ledger)):
        merges = merge([(group, _sources(ledger, group, output)) for group in groups])
        for done, (group, (attempt, written)) in enumerate(merges, 1):
            ledger.commit([Commit(attempt, (), written, merged=[file.name for file in group])])
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                tell(f"{done} of {len(groups)} groups of files of masks are merged")
    return Compaction(before, stored_files(ledger))


def compact_on_cluster(
    ledger: Ledger, run: str, tell: Callable[[str], None], *, output: str, policy: StoragePolicy
) -> Compaction:
    """Compact with Ray tasks, on the cluster that is connected, and clear their attempts away. run: its name."""
    folder = f"{ATTEMPTS}/{run}"
    tasks = MergeTasks(MergeSettings(output=output, folder=folder, storage=policy))
    try:
        return compact(ledger, tasks.run, tell, output=output)
    finally:
        if not ledger.unpublished:  # else the next run publishes them
            with suppress(OSError):  # what is left there, the next run clears away
                storage.remove(storage.join(output, folder))


def _sources(ledger: Ledger, group: Group, output: str) -> list[Source]:
    placed = ((file.name, ledger.files[file.name]) for file in group)
    return [Source(storage.join(output, MASKS, name), file.sha256) for name, file in placed if file]


def _files(files: Sequence[StoredFile]) -> str:
    return f"{len(files)} files of {_mb(sum(file.num_bytes for file in files))} in all"


def _sizes(groups: Sequence[Group]) -> Iterator[str]:
    for group in groups:
        yield f"  {len(group)} files from video {group[0].first_video!r} on: {_mb(sum(f.num_bytes for f in group))}"


def _why(files: Sequence[StoredFile]) -> str:
    large, small = [[f for f in files if f.is_small == is_small] for is_small in (False, True)]
    parts = [f"{len(large)} of {_mb(SMALLEST)} and more"] if large or not small else []
    parts += [f"{len(small)} of {_mb(sum(f.num_bytes for f in small))}, with nothing to merge with"] if small else []
    return ", ".join(parts)


def _mb(num_bytes: int) -> str:
    return f"{num_bytes / MB:,.1f} MB" if num_bytes < 100 * MB else f"{num_bytes / MB:,.0f} MB"
