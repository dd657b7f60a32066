"""Prompts: masks in the formats of other tools, read into label maps. One module a kind; `kinds` lists them.

docs/PROMPTS.md describes each kind. Stands on `outputs` and `io`. `segmenting`, `scores` and `training` may import it.
"""
