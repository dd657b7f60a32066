"""How fast propagation is, beside the published way: `python -m stcn_core.benchmark`.

Needs torch, numpy and safetensors only. `stcn bench` adds the cases that need video files.
"""
