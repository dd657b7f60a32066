"""The check of all committed files of masks, several at a time, also while a run at work adds and replaces some."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jobs.commands.verified_files import VerifiedFiles
from jobs.concurrency.threads import inheriting_pool
from jobs.io import storage
from jobs.ledger.ledger import Ledger
from jobs.ledger.published import MASKS, Placement, PublishedMasks
from jobs.outputs.file_check import FileCheck, HeldVideos, check_file

PARALLEL_FILES, PARALLEL_BYTES = 8, 2 * 10**9  # that are in memory at once
# Of files this small on local disk, nearly all time is Python's, and two threads only hand it to and fro: of 4,000
# files of 7 kB, one thread checks 1,450 a second at 0.7 ms of CPU each, eight check 1,250 at 1.0 ms.
SMALL_FILE = 10**6
AT_A_TIME = 16  # files for a thread: one by one, waking the thread that waits for them cost a fifth of the CPU time
BETWEEN_NOTES = 512  # files, of which an interrupt loses what was checked

Named = tuple[str, Placement]


def check_committed_files(output: str, ledger: Ledger, *, journal: Path | None) -> dict[str, FileCheck]:
    """Check the committed files, and those that a run at work has placed meanwhile. Name -> what was found.

    A file that it has replaced or merged by then is left out.

    journal: a local file that notes the files that were verified; those that it notes already are not read.
    """
    results: dict[str, FileCheck] = {}
    with VerifiedFiles(journal, output) as verified:
        while todo := [(name, file) for name, file in ledger.files.items() if file and name not in results]:
            check = _Check(output, HeldVideos(ledger.videos.state_table()))
            with inheriting_pool(_threads(output, [file for _, file in todo])) as pool:
                for start in range(0, len(todo), BETWEEN_NOTES):
                    results |= _checked(todo[start : start + BETWEEN_NOTES], check, pool, verified=verified)
            ledger.refresh()
    return {name: result for name, result in results.items() if ledger.files[name] is not None}


class _Check:
    """The check of one file of an output."""

    def __init__(self, output: str, held: HeldVideos) -> None:
        self._output, self._held, self._published = output, held, PublishedMasks(output)
        self._sizes = self._published.sizes()

    def has_its_size(self, name: str, file: Placement) -> bool:
        """Whether the file is there, as long as it was committed."""
        return self._sizes.get(name) == file.num_bytes

    def __call__(self, name: str, file: Placement) -> FileCheck:
        try:
            content = storage.read(storage.join(self._output, MASKS, name))
        except FileNotFoundError:
            if self._published.awaits(file):
                return FileCheck(note="is committed, and is published by the next run or the one at work")
            return FileCheck(problems=["is gone; the same `stcn segment` makes it again"])
        return check_file(content, file.sha256, self._held.of(name))


def _checked(
    files: Sequence[Named], check: _Check, pool: ThreadPoolExecutor, *, verified: VerifiedFiles
) -> Iterator[tuple[str, FileCheck]]:
    """Check files, but for those that were verified already, and note the sound ones."""
    todo = []
    for name, file in files:
        masks = verified.masks(name, file.sha256) if check.has_its_size(name, file) else None
        if masks is None:
            todo.append((name, file))
        else:
            yield name, FileCheck(masks=masks, is_noted=True)
    groups = [todo[start : start + AT_A_TIME] for start in range(0, len(todo), AT_A_TIME)]
    for group, results in zip(groups, pool.map(lambda g: [check(*named) for named in g], groups), strict=True):
        for (name, file), result in zip(group, results, strict=True):
            if result.is_sound:
                verified.add(name, file.sha256, result.masks or 0)
            yield name, result


def _threads(output: str, files: Sequence[Placement]) -> int:
    sizes = [file.num_bytes for file in files]
    if "://" not in output and sum(sizes) / len(sizes) < SMALL_FILE:
        return 1
    return max(1, min(PARALLEL_FILES, PARALLEL_BYTES // max(1, *sizes)))
