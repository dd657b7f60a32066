"""Operations as PyTorch sends them to a device, and the line of `stcn_core` that sends them."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import stcn_core

CORE = str(Path(stcn_core.__file__).parent)
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd
GPU, META = 1, 14  # c10/core/DeviceType.h


@contextmanager
def idle_guard() -> Iterator[None]:
    """Let any build of PyTorch move tensors that say "cuda", with and without a GPU.

    The guard of its current device does nothing meanwhile, as that of meta tensors. The table of guards is public to
    C++ alone.
    """
    library = ctypes.CDLL(str(next((Path(torch.__file__).parent / "lib").glob("libc10.*"))))
    guards = (ctypes.c_void_p * (META + 1)).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    before, guards[GPU] = guards[GPU], guards[META]
    try:
        yield
    finally:
        guards[GPU] = before


def core_line() -> str:
    """The innermost line of `stcn_core` that is running: file and number."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(CORE):
            return f"{frame.f_code.co_filename.removeprefix(CORE).lstrip('/')}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "?"


def is_composite(func: Any) -> bool:
    """Whether an operation is one of others: under `inference_mode` it arrives whole."""
    return func.namespace != "prim" and bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), COMPOSITE))
