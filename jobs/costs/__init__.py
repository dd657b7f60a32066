"""What a run takes, in hours, bytes and money: expected before it, projected from a sample, and noted at its end.

`cli`, `commands`, `run` and `watching` may import it.
"""
