"""An output's frames and masks for PyTorch: `from jobs.dataset import MaskDataset, collate`.

Stands on `planning`, `inputs` and `outputs`. `exports` and `commands` may import it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.dataset.mask_dataset import MaskDataset, MaskStream, collate

__all__ = ["MaskDataset", "MaskStream", "collate"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: `exports` needs this package without the 2 s that torch takes to import."""
    if name not in __all__:
        raise AttributeError(f"module 'jobs.dataset' has no attribute {name!r}")
    return getattr(import_module("jobs.dataset.mask_dataset"), name)


def __dir__() -> list[str]:
    """The public names, also those not imported yet."""
    return sorted(__all__)
