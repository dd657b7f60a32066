"""What there is to do: the run's config, each video's identity, and the shards that are still missing.

Pure but for reading the manifest and the ledger. `actors`, `dataset` and everything above may import it.
"""
