"""Prompts as images: label maps, a folder for each object, and what contradicts a plausible reading of them.

Stands on `names`. `annotations`, `cvat`, `arrays`, `scores` and `training` import what they share with it.
"""
