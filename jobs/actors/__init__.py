"""Processes that segment, and the pool that drives the scheduler with them.

Ray is imported here, and in `training.processes` alone. `run` and `training` may import it.
"""
