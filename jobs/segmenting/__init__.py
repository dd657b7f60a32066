"""Segmentation of one video, from local files to rows of masks, without Ray or storage.

`planning`, `actors` and `commands.bench` may import it.
"""
