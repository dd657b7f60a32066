"""Clips drawn by program, with known masks: scenes of textured shapes in motion, rendered and exposed.

Stands on nothing else of the package. `training` and `benchmark` may import it.
"""
