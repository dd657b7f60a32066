"""Work beside the caller's: a prefetching thread, a map over processes, and interrupts that are not lost.

Stands on `errors` alone. Everything above may import it.
"""
