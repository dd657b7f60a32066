"""Storage anywhere that fsspec reaches: whole files or none, retried, verified, created once.

Stands on `records` and `errors`. Everything above may import it.
"""
