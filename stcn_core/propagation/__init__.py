"""A clip's prompted masks carried through its frames: forward, backward or both, and the cycle check.

Stands on `models`, `memory` and `acceleration`. `training` and `benchmark` may import it.
"""
