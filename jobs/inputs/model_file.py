"""Find a model's file: one that ships, a path, or a URL that is downloaded once."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import UserError
from jobs.io import storage
from stcn_core.config import ModelConfig
from stcn_core.models.checkpoint import CheckpointError, find_checkpoint, load_model
from stcn_core.models.network import Network


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model that was found and read once, to be handed to every actor."""

    name: str
    content: bytes
    sha256: str
    config: ModelConfig


def find_model(source: str, sha256: str | None = None, *, similarity: str | None = None) -> ModelFile:
    """Read a shipped model's name, a path or a URL, and check that it loads.

    sha256: refuse any other content. A URL with it is kept in the cache folder, and not downloaded
    again. similarity: as `load_network` takes it. Raises UserError.
    """
    path = _cached(sha256) if sha256 and "://" in source else None
    try:
        content = path.read_bytes() if path and path.exists() else _read(source)
    except FileNotFoundError as error:
        raise UserError(f"--model {source}: {error}") from error
    digest = storage.sha256(content)
    if sha256 and digest != sha256.lower():
        raise UserError(f"--model {source} has sha256 {digest}, not {sha256} as --model-sha256 says")
    if path and not path.exists():
        storage.write(str(path), content)
    name = source if "://" in source else find_checkpoint(source).name
    return ModelFile(name=name, content=content, sha256=digest, config=_config_of(name, content, similarity))


def load_network(content: bytes, device: str = "cpu", *, similarity: str | None = None) -> Network:
    """Build the network of a model file.

    similarity: the name of one that replaces the network's own; None: keep its own. Raises CheckpointError for a
    damaged file, ValueError for an unknown similarity.
    """
    options: dict[str, Any] = {} if similarity is None else {"similarity": similarity}
    return load_model(content, device=device, **options)


def _read(source: str) -> bytes:
    return storage.read(source) if "://" in source else find_checkpoint(source).read_bytes()


def _cached(sha256: str) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return root / "stcn" / "models" / sha256.lower()


def _config_of(name: str, content: bytes, similarity: str | None) -> ModelConfig:
    try:
        return load_network(content, similarity=similarity).config
    except CheckpointError as error:
        raise UserError(f"--model {name}: {error}") from error
    except ValueError as error:
        raise UserError(f"--similarity {similarity}: {error}") from error
