"""Masks scored against ground truth: one video's scores, tables of them, and comparisons.

Stands on `inputs` and `outputs`. Only `commands` imports it.
"""
