"""Processes that segment, and the pool that hands them shards. Ray is imported here, and in `training.processes` alone.

`run` and `training` may import it.
"""
