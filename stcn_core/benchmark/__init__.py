"""Benchmarks of propagation against published frame-by-frame inference: `python -m stcn_core.benchmark`.

May import every other room. Of `jobs`, only `commands.bench`, which adds the cases that need video files or Ray, and
`training` may import this room.
"""
