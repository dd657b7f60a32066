"""`stcn train`: recipes, batches, and a run with its checkpoints, log and page.

Stands on `stcn_core.training` and `inputs`. Only `cli` and `commands` import it.
"""
