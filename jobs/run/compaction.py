"""Compaction: small files of masks become few, through commits of the ledger."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from jobs.actors.merge_tasks import MergeSettings, MergeTasks
from jobs.io import storage
from jobs.io.storage_policy import StoragePolicy
from jobs.ledger.ledger import ATTEMPTS, Commit, Ledger
from jobs.ledger.published import MASKS
from jobs.outputs.merged_file import Source
from jobs.planning.merge_plan import Group, plan_merges, stored_files
from jobs.records import ShardWritten
from jobs.run.compaction_summary import Compaction

TELL_SECONDS = 5.0  # between two notes of progress

Planned = Sequence[tuple[Group, Sequence[Source]]]
Merge = Callable[[Planned], Iterator[tuple[Group, tuple[str, ShardWritten]]]]


def plan_compaction(ledger: Ledger) -> Compaction:
    """What would be merged. Writes nothing."""
    files = stored_files(ledger)
    return Compaction(files, planned=plan_merges(files))


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
    return Compaction(before, after=stored_files(ledger))


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
