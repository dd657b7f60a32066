"""`stcn train`: recipes, batches, and a run with its checkpoints, log and page.

Imports `stcn_core` and the rooms below. Only `cli` and `commands` import this room.
"""
