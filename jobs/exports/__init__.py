"""Masks of an output in other tools' formats: one module a format, over shared batches of masks.

Stands on `dataset` and `outputs`. Only `commands` imports it.
"""
