"""Find a model's file: one that ships, a path, or a URL that is downloaded once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import UserError
from jobs.io import storage
from stcn_core.config import ModelConfig
from stcn_core.models.checkpoint import find_checkpoint, load_model
from stcn_core.models.network import Network
from stcn_core.models.weights_file import CheckpointError


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model file, found and read once; its content goes to every actor."""

    name: str
    content: bytes
    sha256: str
    config: ModelConfig
    propagation_defaults: Mapping[str, object]  # the network's, for `PropagationConfig.for_model`


def find_model(source: str, sha256: str | None = None, *, similarity: str | None = None) -> ModelFile:
    """Read a model file, and check that it loads.

    source: a shipped model's name, a path or a URL.
    sha256: refuse content with another digest. A URL with a digest is downloaded once, into the cache folder.
    similarity: the name of one that replaces the network's own; None: keep its own.
    Raises UserError.
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
    model = _loaded(name, content, similarity)
    return ModelFile(
        name=name,
        content=content,
        sha256=digest,
        config=model.config,
        propagation_defaults=model.propagation_defaults,
    )


def _read(source: str) -> bytes:
    return storage.read(source) if "://" in source else find_checkpoint(source).read_bytes()


def _cached(sha256: str) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return root / "stcn" / "models" / sha256.lower()


def _loaded(name: str, content: bytes, similarity: str | None) -> Network:
    try:
        return load_model(content, similarity=similarity)
    except CheckpointError as error:
        raise UserError(f"--model {name}: {error}") from error
    except ValueError as error:
        raise UserError(f"--similarity {similarity}: {error}") from error
