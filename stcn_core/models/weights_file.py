"""The content of a weights file as named tensors: PyTorch's format or .safetensors. Nothing in it is executed."""

import io
import json
import pickle
from collections.abc import Mapping

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

Metadata = dict[str, object]

METADATA = "stcn"  # the entry of a .safetensors file's metadata that holds our JSON


class CheckpointError(ValueError):
    """A file that is not whole, holds more than plain tensors, or belongs to no known network."""


def parse_weights(content: bytes) -> tuple[object, Metadata]:
    """Read a file of either format.

    Returns what the file holds, a mapping of tensors as a rule, and the metadata that `save_model` wrote; empty for
    other files. Raises CheckpointError.
    """
    try:
        if content[8:9] == b"{":  # .safetensors: the length of a JSON header, then that header
            return safetensors.torch.load(content), _metadata(content)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), {}
    except pickle.UnpicklingError:
        raise CheckpointError("not a file of plain tensors: it is damaged, or it would run code when loaded") from None
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = "" if isinstance(error, KeyError) or not str(error) else f" ({str(error).splitlines()[0]})"
        raise CheckpointError(f"not a file of plain tensors{reason}") from None


def named_tensors(content: object) -> dict[str, Tensor]:
    """The tensors of a parsed file by name.

    A training checkpoint nests them under "network", and DataParallel puts "module." before each name; both are
    removed. Raises CheckpointError if `content` is anything else.
    """
    if isinstance(content, Mapping) and isinstance(content.get("network"), Mapping):
        content = content["network"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        found = list(content)[:5] if isinstance(content, Mapping) else type(content).__name__
        raise CheckpointError(f"expected a mapping from names to tensors, found {found}")
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def check_entries(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError if a network's entries and a file's differ in names or shapes.

    Old files lack num_batches_tracked, which nothing here uses.
    """
    needed = {name for name in expected if not name.endswith("num_batches_tracked")}
    problems = {
        "missing": sorted(needed - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "of another shape": sorted(
            f"{name} {tuple(found[name].shape)} for {tuple(expected[name].shape)}"
            for name in expected.keys() & found.keys()
            if found[name].shape != expected[name].shape
        ),
    }
    text = "; ".join(f"{len(names)} {problem}: {_some(names)}" for problem, names in problems.items() if names)
    if text:
        raise CheckpointError(text)


def _some(names: list[str], limit: int = 6) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")


def _metadata(content: bytes) -> Metadata:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return dict(json.loads(header.get("__metadata__", {}).get(METADATA, "{}")))
