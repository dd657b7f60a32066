"""Load and save networks. A file's network and its sizes are recognised from the names and shapes of its tensors."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from stcn_core.config import Locality, ModelConfig
from stcn_core.memory.similarities import SIMILARITIES
from stcn_core.models.kind import State
from stcn_core.models.network import Network
from stcn_core.models.network_registry import NETWORKS, build_network, recognise
from stcn_core.models.weights_file import METADATA, CheckpointError, check_entries, named_tensors, parse_weights

SHIPPED = Path(__file__).parent / "weights"


def shipped_models() -> list[str]:
    """Names of the models in the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def find_checkpoint(source: str | Path) -> Path:
    """The file of a shipped model's name or a path. Raises FileNotFoundError."""
    shipped = SHIPPED / f"{source}.safetensors"
    path = shipped if str(source) in shipped_models() else Path(source)
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {str(source)!r}; legal: a file, or a shipped model: {shipped_models()}"
        )
    return path


def load_model(
    source: str | Path | bytes | State,
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    similarity: str | None = None,
) -> Network:
    """Build the network that `source` holds, in evaluation mode, without gradients.

    source: a shipped model's name, a path, a file's content, or a state dict. Nothing in a file is executed.
    similarity: name of the similarity that memory is read by, "l2", "cosine", "dot" or a registered one; None: the one
    that the network was trained with.

    Raises CheckpointError, which names missing and unexpected entries, FileNotFoundError, or ValueError for an unknown
    similarity.
    """
    if similarity is not None:
        _ = SIMILARITIES[similarity]  # refuses an unknown name
    name = str(source) if isinstance(source, (str, Path)) else "the checkpoint"
    try:
        content, metadata = (source, {}) if isinstance(source, Mapping) else parse_weights(_bytes(source))
        state, config = _recognised(named_tensors(content), metadata.get("config"))
        options: dict[str, Any] = {"similarity": similarity} if similarity else {}
        with torch.device("meta"):
            model = build_network(replace(config, **options))
        check_entries(model.state_dict(), state)
        model.load_state_dict(state, strict=False, assign=True)
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}. Known kinds: {_known_files()}") from None
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.to(device, dtype).eval()


def build_like(model: Network, state: State) -> Network:
    """A network of the class and sizes of `model` with these entries, in evaluation mode."""
    other = type(model)(model.config)
    other.load_state_dict(state)
    return other.eval()


def read_entries(source: str | Path) -> State:
    """The named tensors of any weights file, of whatever network. Nothing in it is executed. Raises CheckpointError."""
    try:
        state = named_tensors(parse_weights(_bytes(source))[0])
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None
    kind = recognise(state)
    return kind.mend(state) if kind else state


def save_model(model: Network, path: str | Path, dtype: torch.dtype = torch.float16, **card: object) -> None:
    """Write .safetensors with the model's config and a card: JSON-able facts, such as how it was made."""
    state = {name: _stored(tensor, dtype) for name, tensor in model.state_dict().items()}
    metadata = json.dumps({"config": asdict(model.config), "card": card})
    safetensors.torch.save_file(state, path, {METADATA: metadata})


def read_card(source: str | Path) -> dict[str, object]:
    """The card that `save_model` wrote; empty for files without one."""
    card = parse_weights(_bytes(source))[1].get("card", {})
    return dict(card) if isinstance(card, dict) else {}


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous()


def _bytes(source: str | Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else find_checkpoint(source).read_bytes()


def _known_files() -> str:
    files = ", ".join(kind.published_files for kind in NETWORKS.entries())
    return f"{files}; the same, nested under 'network' by a training checkpoint; and .safetensors saved by stcn"


def _recognised(entries: State, saved_config: object) -> tuple[State, ModelConfig]:
    """Entries as the network names them, and its config: sizes from the entries, the rest as it was saved."""
    kind = recognise(entries)
    if kind is None:
        names = ", ".join(NETWORKS.names())
        saved = f" (saved as {saved_config.get('network')!r})" if isinstance(saved_config, dict) else ""
        raise CheckpointError(f"entries of no known network{saved}; known: {names}; it begins {sorted(entries)[:5]}")
    try:
        state = kind.mend(entries)
        reading = _memory_read_options(saved_config) if isinstance(saved_config, dict) else {}
        return state, replace(kind.infer_config(state), network=kind.name, **reading)
    except KeyError as error:
        raise CheckpointError(f"missing entry {error}") from None


def _memory_read_options(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a saved config that no entry shows. Older files lack some, and their models went without."""
    locality = saved.get("locality")
    return {
        "similarity": saved["similarity"],
        "locality": locality and Locality(*locality),
        **{name: saved.get(name) for name in ("top_k", "object_positions")},
    }
