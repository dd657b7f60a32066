"""The files that a run leaves, and how they are read back: Parquet tables, RLE, label maps, selections.

Stands on `io`. Everything above may import it.
"""
