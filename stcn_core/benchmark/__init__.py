"""How fast propagation is beside frame-by-frame inference as published: `python -m stcn_core.benchmark`.

The top floor: `jobs.commands.bench` imports it, and adds the cases that need video files or Ray.
"""
