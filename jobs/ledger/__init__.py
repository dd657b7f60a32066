"""What counts: the log that only a driver appends to, the masks that it publishes, and the lock on a run.

Stands on `outputs` and `io`. `planning` and everything above may import it.
"""
