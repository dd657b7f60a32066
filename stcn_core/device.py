"""Which device a name selects."""

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
