"""`stcn compact`: merge the small files of masks of an output."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from jobs.actors import cluster
from jobs.errors import printable
from jobs.io import storage
from jobs.io.storage_policy import QUICK_SECONDS, StoragePolicy, storage_policy
from jobs.ledger import run_lock
from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from jobs.outputs.selection_folder import refuse_selection
from jobs.planning.latest_rows import LatestRows, read_table
from jobs.planning.run_record import read_config
from jobs.run.compaction import compact_on_cluster, plan_compaction
from jobs.run.compaction_summary import Compaction
from jobs.run.driver import record_creator_for
from jobs.watching.progress import Reporter


def plan_output(output: str) -> Compaction:
    """What `compact_output` would merge. Writes nothing. Raises UserError if there was no run."""
    refuse_selection(output)
    read_config(output)
    with storage_policy(StoragePolicy(QUICK_SECONDS)):
        return plan_compaction(Ledger(output))


def compact_output(output: str, report: Reporter) -> Compaction:
    """Merge small files through the ledger. An interrupt leaves what is merged committed, and loses nothing.

    Raises UserError for what is no output of a run, or is held by one, and FatalError if another run begins.
    """
    refuse_selection(output)
    config, name = read_config(output), f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    with storage_policy(StoragePolicy(config.storage_patience, config.verify_downloads)) as policy:
        create, ledger = record_creator_for(config), Ledger(output)
        with run_lock.run_lock(output, name, me := run_lock.describe_process()), _table_kept(output, ledger):
            ledger.begin(name, me, create)
            for video_id in ledger.forget_lost():
                report.note(f"{printable(video_id)}: its masks are gone; segment it again to make them")
            found = plan_compaction(ledger)
            if found.planned:
                with cluster.connected(), report:
                    found = compact_on_cluster(ledger, name, report.note, output=output, policy=policy)
            return found


@contextmanager
def _table_kept(output: str, ledger: Ledger) -> Iterator[None]:
    """Bring the table of videos up to date at the end, also where the block fails: it names each video's file."""
    table = read_table(output)
    try:
        yield
    finally:
        with suppress(OSError):  # storage may be what failed; the next run writes it again
            ledger.refresh()  # an interrupt may have come between a record and its being noted here
            if not ledger.is_taken_over:
                tables = LatestRows(table, ledger.videos).tables()
                store.write_video_tables(storage.join(output, store.VIDEOS_FILE), tables, records=ledger.records)
