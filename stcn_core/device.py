"""Which device a name selects, and whether a device still works."""

import torch


def find_device(name: str) -> torch.device:
    """Return the device that a name selects: "cpu", "cuda", or "auto", which is cuda if there is a GPU.

    Raises ValueError for another name, and for cuda without a GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"--device {name} is not usable; legal: auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch finds no GPU here; legal: auto, cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def is_lost(device: torch.device) -> bool:
    """Whether a GPU fails every call of this process from now on, as after an illegal access in a kernel.

    Running out of memory does not do that. Waits until the GPU has done what it was sent.
    """
    if device.type != "cuda":
        return False
    try:
        torch.cuda.synchronize(device)
    except RuntimeError:
        return True
    return False
