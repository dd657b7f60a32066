"""A Parquet file for `datasets` of each file of masks."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs import interrupt
from jobs.exports import hf
from jobs.exports.journal import Journal
from jobs.exports.source import Source
from jobs.exports.units import Exported
from jobs.exports.walk import MasksFile
from jobs.io import storage
from jobs.outputs.names import file_name


@dataclass(frozen=True)
class Shards:
    """source: where frames come from; None: without."""

    source: Source | None

    def run(self, files: Sequence[MasksFile], journal: Journal, exported: Exported) -> int:
        """Do what is not done; returns how many masks there are in all. A shard that lacks frames is not done."""
        total = 0
        for file in files:
            interrupt.check()
            target = f"data/train-{file_name(storage.name_of(file.info.location))}"
            key = [file.identity, self.source is not None]
            exported.targets.add(target)
            result = journal.made(target, key)
            if result is None:
                with journal.making(target) as path:
                    masks, images, failures = hf.write_shard(file, path, self.source)
                result = {"masks": masks, "images": images}
                if not failures:
                    journal.record(target, key, result)
                exported.failures |= failures
            exported.frames += int(result["images"])
            total += int(result["masks"])
        return total
