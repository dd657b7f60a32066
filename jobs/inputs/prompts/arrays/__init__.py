"""Prompts as tables and arrays: Parquet and NumPy's .npz.

Stands on `names`, `images` and `annotations`. Only `kinds` imports it.
"""
