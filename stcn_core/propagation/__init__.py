"""Prompted masks carried through a clip's frames, the whole clip in any direction or frame by frame; the cycle check.

Stands on `models`, `memory` and `acceleration`. `training` and `benchmark` may import it.
"""
