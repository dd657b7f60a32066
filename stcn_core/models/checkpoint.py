"""Load and save networks. Recognises the published STCN and STM files by what is in them."""

import dataclasses
import io
import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from stcn_core.config import Locality, ModelConfig
from stcn_core.models.network import Network
from stcn_core.models.stcn import STCN
from stcn_core.models.stm import STM

State = Mapping[str, Tensor]
Metadata = dict[str, object]

SHIPPED = Path(__file__).parent / "weights"
KNOWN_FORMATS = (
    "STCN (stcn.pth; its 4-channel stage-0 file; with or without CBAM; a training checkpoint that nests it "
    "under 'network'), STM (STM_weights.pth), and .safetensors saved by stcn"
)
METADATA = "stcn"  # the entry of a .safetensors file's metadata that holds our JSON


class CheckpointError(ValueError):
    """A checkpoint that is not one of the known kinds, or not whole."""


def shipped_models() -> list[str]:
    """Names of the models in the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.safetensors"))


def load_model(
    source: str | Path | bytes | State, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
) -> Network:
    """Build the network that `source` holds: a shipped model's name, a path, a file's content, or a state dict.

    Kind and sizes are recognised from the entries. Nothing in a file is executed. The model comes in
    evaluation mode. Raises CheckpointError, which says what is missing and unexpected, or FileNotFoundError.
    """
    name = str(source) if isinstance(source, (str, Path)) else "the checkpoint"
    try:
        content, metadata = (source, {}) if isinstance(source, Mapping) else _parse(_bytes(source))
        state = _normalised(content)
        config = _infer_config(state, metadata)
        with torch.device("meta"):
            model: Network = STCN(config) if config.network == "stcn" else STM(config)
        _check_entries(model.state_dict(), state)
        model.load_state_dict(state, strict=False, assign=True)
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}. Known kinds: {KNOWN_FORMATS}") from None
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.to(device, dtype).eval()


def build_like(model: Network, state: State) -> Network:
    """A network of the same kind and sizes, with these entries, in evaluation mode."""
    other = type(model)(model.config)
    other.load_state_dict(state)
    return other.eval()


def read_entries(source: str | Path) -> dict[str, Tensor]:
    """The named tensors of any file, of whatever network. Nothing in it is executed. Raises CheckpointError."""
    try:
        return _normalised(_parse(_bytes(source))[0])
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from None


def save_model(model: Network, path: str | Path, dtype: torch.dtype = torch.float16, **card: object) -> None:
    """Write .safetensors with the model's config and a card: JSON-able facts, such as how it was made."""
    state = {name: _stored(tensor, dtype) for name, tensor in model.state_dict().items()}
    metadata = json.dumps({"config": dataclasses.asdict(model.config), "card": card})
    safetensors.torch.save_file(state, path, {METADATA: metadata})


def read_card(source: str | Path) -> dict[str, object]:
    """What `save_model` was told of how a model was made; empty for other files."""
    card = _parse(_bytes(source))[1].get("card", {})
    return dict(card) if isinstance(card, dict) else {}


def find_checkpoint(source: str | Path) -> Path:
    """The file of a shipped model's name or a path. Raises FileNotFoundError."""
    shipped = SHIPPED / f"{source}.safetensors"
    path = shipped if str(source) in shipped_models() else Path(source)
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {str(source)!r}; legal: a file, or a shipped model: {shipped_models()}"
        )
    return path


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous()


def _bytes(source: str | Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else find_checkpoint(source).read_bytes()


def _parse(content: bytes) -> tuple[object, Metadata]:
    """Read a file of either format, and our metadata if it has any."""
    try:
        if content[8:9] == b"{":  # .safetensors: the length of a JSON header, then that header
            return safetensors.torch.load(content), _metadata(content)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), {}
    except pickle.UnpicklingError:
        raise CheckpointError("not a file of plain tensors: it is damaged, or it would run code when loaded") from None
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = "" if isinstance(error, KeyError) or not str(error) else f" ({str(error).splitlines()[0]})"
        raise CheckpointError(f"not a file of plain tensors{reason}") from None


def _metadata(content: bytes) -> Metadata:
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return dict(json.loads(header.get("__metadata__", {}).get(METADATA, "{}")))


def _normalised(state: object) -> dict[str, Tensor]:
    """Unwrap training checkpoints, drop DataParallel's prefix, and give stage 0 its fifth input channel."""
    if isinstance(state, Mapping) and isinstance(state.get("network"), Mapping):
        state = state["network"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        found = list(state)[:5] if isinstance(state, Mapping) else type(state).__name__
        raise CheckpointError(f"expected a mapping from names to tensors, found {found}")
    entries = {str(name).removeprefix("module."): tensor for name, tensor in state.items()}
    stem = entries.get("value_encoder.conv1.weight")
    if stem is not None and stem.ndim == 4 and stem.shape[1] == 4:
        # Trained with one object: weights of zero ignore the other objects' plane, as the authors' loader does.
        entries["value_encoder.conv1.weight"] = torch.cat((stem, torch.zeros_like(stem[:, :1])), dim=1)
    return entries


def _infer_config(state: State, metadata: Mapping[str, object]) -> ModelConfig:
    """Read kind and sizes off the entries. How memory is read cannot be: that comes from our metadata."""
    saved = metadata.get("config")
    reading = _memory_read_options(saved) if isinstance(saved, dict) else {}
    try:
        if "key_encoder.conv1.weight" in state:
            return dataclasses.replace(_stcn_config(state), **reading)
        if "Encoder_M.conv1.weight" in state:
            return dataclasses.replace(_stm_config(state), **reading)
    except KeyError as error:
        raise CheckpointError(f"missing entry {error}") from None
    raise CheckpointError(f"neither STCN's nor STM's entries; it begins {sorted(state)[:5]}")


def _memory_read_options(saved: Mapping[str, Any]) -> dict[str, Any]:
    """What of a saved config is not in the weights; files from before there was such an option go without it."""
    locality = saved.get("locality")
    return {
        "similarity": saved["similarity"],
        "locality": locality and Locality(*locality),
        **{name: saved.get(name) for name in ("top_k", "object_positions")},
    }


def _stcn_config(state: State) -> ModelConfig:
    value_dim = len(state["key_comp.weight"])
    at_16, at_8, at_4 = (
        len(state[f"decoder.{block}.conv2.weight"]) for block in ("compress", "up_16_8.out_conv", "up_8_4.out_conv")
    )
    return ModelConfig(
        key_width=len(state["key_encoder.conv1.weight"]),
        key_depths=_depths(state, "key_encoder", ("res2", "layer2", "layer3")),
        value_width=len(state["value_encoder.conv1.weight"]),
        value_depths=_depths(state, "value_encoder", ("layer1", "layer2", "layer3")),
        key_dim=len(state["key_proj.key_proj.weight"]),
        value_dim=value_dim,
        decoder_dims=None if (at_16, 2 * at_8, 2 * at_4) == (value_dim,) * 3 else (at_16, at_8, at_4),
        attention=any(name.startswith("value_encoder.fuser.attention.") for name in state),
    )


def _stm_config(state: State) -> ModelConfig:
    return dataclasses.replace(
        ModelConfig.stm(),
        key_width=len(state["Encoder_M.conv1.weight"]),
        key_depths=_depths(state, "Encoder_M", ("res2", "res3", "res4")),
        key_dim=len(state["KV_M_r4.Key.weight"]),
        value_dim=len(state["KV_M_r4.Value.weight"]),
        decoder_dim=len(state["Decoder.convFM.weight"]),
    )


def _depths(state: State, trunk: str, stages: tuple[str, str, str]) -> tuple[int, int, int]:
    """How many blocks each stage has: the entries name them 0, 1, 2, ..."""

    def depth(stage: str) -> int:
        pattern = re.compile(rf"{trunk}\.{stage}\.(\d+)\.")
        numbers = [int(match[1]) for name in state if (match := pattern.match(name))]
        if not numbers:
            raise KeyError(f"{trunk}.{stage}.0.conv1.weight")
        return max(numbers) + 1

    first, second, third = (depth(stage) for stage in stages)
    return first, second, third


def _check_entries(expected: State, found: State) -> None:
    """Raise if names or shapes differ. Old files lack num_batches_tracked, which nothing here uses."""
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
    text = "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in problems.items() if names)
    if text:
        raise CheckpointError(text)


def _some(names: list[str], limit: int = 6) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
