"""Merges of an output's files without Ray: what a merge task does, in this process."""

import uuid
from collections.abc import Iterator, Sequence

from jobs.ledger.ledger import Commit, Ledger
from jobs.outputs import store
from jobs.outputs.merged_file import Source, merge_files
from jobs.planning.merge_plan import Group, stored_files
from jobs.records import ShardWritten
from jobs.run.compaction import Merge


def in_this_process(output: str) -> Merge:
    """Merges groups one after another, in attempts of the run "merges"."""

    def merge(groups: Sequence[tuple[Group, Sequence[Source]]]) -> Iterator[tuple[Group, tuple[str, ShardWritten]]]:
        for group, sources in groups:
            attempt = f"_attempts/merges/{uuid.uuid4().hex}"
            yield group, (attempt, merge_files(sources, f"{output}/{attempt}/masks.parquet")[0])

    return merge


def merge_committed(ledger: Ledger, output: str, names: Sequence[str]) -> None:
    """Commit one file in the place of these."""
    placed = {name: file for name in names if (file := ledger.files[name])}
    sources = [Source(f"{output}/masks/{name}", file.sha256) for name, file in placed.items()]
    group = [file for file in stored_files(ledger) if file.name in placed]
    for _, (attempt, written) in in_this_process(output)([(group, sources)]):
        ledger.commit([Commit(attempt, (), written, merged=list(placed))])


def files_of_videos(output: str) -> dict[str, str]:
    """Each video and the file that a reader of `masks/` finds it in. No video is in two."""
    found: dict[str, str] = {}
    for file in store.mask_files(output):
        with open(file.location, "rb") as content:
            for video_id in set(store.parse(content.read())["video_id"].to_pylist()):
                assert video_id not in found
                found[video_id] = file.location.rpartition("/")[2]
    return found
