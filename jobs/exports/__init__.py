"""Masks of an output in the formats of other tools: one module a format, listed in `formats`, over shared batches.

Stands on `dataset` and `outputs`. Only `commands` and `cli` import it.
"""
