"""`stcn forget`: remove videos from an output, their masks and their rows."""

import time
import uuid
from collections.abc import Sequence

from jobs.errors import UserError
from jobs.io import storage
from jobs.io.storage_policy import StoragePolicy, storage_policy
from jobs.ledger import run_lock
from jobs.ledger.ledger import Ledger
from jobs.outputs import store
from jobs.outputs.selection_folder import refuse_selection
from jobs.planning.latest_rows import LatestRows, read_table
from jobs.planning.run_record import read_config
from jobs.run.driver import record_creator_for


def forget(output: str, video_ids: Sequence[str]) -> int:
    """Remove videos through the ledger, and return the number of masks that went with them.

    A file of masks that holds other videos, too, is written anew without these. A later run segments a forgotten video
    like one that it never saw. Raises UserError for an id that the output lacks, and FatalError if a run is at work.
    """
    refuse_selection(output)
    config, name = read_config(output), f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    with storage_policy(StoragePolicy(config.storage_patience, config.verify_downloads)):
        create, ledger = record_creator_for(config), Ledger(output)
        table, ids = read_table(output), set(video_ids)
        chosen = LatestRows(table, ledger.videos, ids).rows()
        if unknown := sorted(ids - {row.video_id for row in chosen}):
            raise UserError(
                f"{output} has no video {', '.join(map(repr, unknown[:5]))}; legal: a video_id of {store.VIDEOS_FILE}"
            )
        with run_lock.run_lock(output, name, me := run_lock.describe_process()):
            ledger.begin(name, me, create)
            ledger.forget_lost()
            ledger.forget(chosen)
            rest = LatestRows(table, ledger.videos).without(ids)
            store.write_video_tables(storage.join(output, store.VIDEOS_FILE), rest, records=ledger.records)
    return sum(row.masks or 0 for row in chosen)
