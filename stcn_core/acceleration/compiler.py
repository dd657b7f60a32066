"""Whether the compiler that `compiled` needs is there: Triton, and a C compiler for what Triton builds."""

import os
import shutil
from importlib.util import find_spec

import torch

C_COMPILERS = ("gcc", "clang", "cc")
NO_GPU = "no GPU: on CPUs compiling gains nothing"  # 0.6 to 1.06 times the speed, docs/PERFORMANCE.md


def missing_for(device: torch.device) -> str | None:
    """What keeps a network on this device from being compiled, in words; None where nothing does."""
    if device.type != "cuda":
        return NO_GPU
    if find_spec("triton") is None:
        return "Triton is not installed"
    named = os.environ.get("CC")
    if not any(map(shutil.which, (named,) if named else C_COMPILERS)):
        return f"no C compiler was found ({f'CC={named}' if named else ', '.join(C_COMPILERS)})"
    return None
