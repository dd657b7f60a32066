"""Synthetic clips with known masks: scenes of textured shapes in motion, rendered and exposed.

Imports nothing else of the package. `training` and `benchmark` may import this room.
"""
