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
from jobs.planning.run_record import read_config, updated_rows
from jobs.run.driver import record_creator_for


def forget(output: str, video_ids: Sequence[str]) -> int:
    """Remove videos through the ledger, and return the number of masks that went with them.

    A file of masks that holds other videos, too, is written anew without these. A later run segments a forgotten video
    like one that it never saw. Raises UserError for an id that the output lacks, and FatalError if a run is at work.
    """
    refuse_selection(output)
    config, name = read_config(output), f"{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    table = storage.join(output, store.VIDEOS_FILE)
    with storage_policy(StoragePolicy(config.storage_patience, config.verify_downloads)):
        create, ledger = record_creator_for(config), Ledger(output)
        known = updated_rows({row.video_id: row for row in store.read_videos(table)}, ledger)
        if unknown := sorted(set(video_ids) - set(known)):
            raise UserError(
                f"{output} has no video {', '.join(map(repr, unknown[:5]))}; legal: a video_id of {store.VIDEOS_FILE}"
            )
        with run_lock.run_lock(output, name, me := run_lock.describe_process()):
            ledger.begin(name, me, create)
            ledger.forget_lost()
            chosen = [known[video_id] for video_id in dict.fromkeys(video_ids)]
            ledger.forget(chosen)
            rest = [row for video_id, row in updated_rows(known, ledger).items() if video_id not in set(video_ids)]
            store.write_videos(table, rest)
    return sum(row.masks or 0 for row in chosen)
