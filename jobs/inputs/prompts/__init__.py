"""Masks as people have them, read into the prompts of a video: one module a kind. docs/PROMPTS.md describes each.

Stands on `outputs` and `io`. `segmenting`, `scores` and `training` may import it.
"""
