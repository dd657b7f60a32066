"""Inputs of a run: manifests, video files, image folders, model files, and prompts.

Stands on `io` and `outputs`. `segmenting`, `planning` and everything above may import it.
"""
