"""Compiles a network in an actor, so that what is compiled serves later runs and the other actors of its machine.

The folder is the user's own, apart from what `scratch.clear_abandoned` deletes: PyTorch loads code from it.
"""

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from jobs.io import scratch
from stcn_core.acceleration.compiled import compiled
from stcn_core.acceleration.compiler import missing_for
from stcn_core.models.network import Network

LOG = logging.getLogger("stcn")
FOLDER_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"  # PyTorch's; a folder that the user named is used


def compiled_on_this_machine(model: Network) -> Network:
    """A network with compiled steps, or the network itself where no compiler is or it fails: the log says why."""
    parameter = next(model.parameters())
    if missing := missing_for(parameter.device):
        LOG.warning("the network runs uncompiled, which is slower: %s", missing)
        return model
    folder = cache_folder()
    os.environ[FOLDER_VARIABLE] = str(folder)
    name = torch.cuda.get_device_name(parameter.device)
    with first_alone(folder, _key(model, name, str(parameter.dtype))):
        return compiled(model)


def cache_folder() -> Path:
    """Where compiled code stays, by version of PyTorch; a folder of this process alone if none can be made there."""
    try:
        folder = _wanted_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:  # an actor compiles there
        return folder
    except (OSError, RuntimeError) as error:  # Lustre and old NFS may have no locks; a user without a name has no home
        LOG.warning("compiled code is not kept for the next run: %s; TORCHINDUCTOR_CACHE_DIR may name a folder", error)
        return Path(_folder_of_this_process().name)
    return folder


def _wanted_folder() -> Path:
    """Raises RuntimeError where the user has no home."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "stcn" / f"compiled-torch-{torch.__version__}"


@cache
def _folder_of_this_process() -> "TemporaryDirectory[str]":
    return scratch.temporary()


@contextmanager
def first_alone(folder: Path, key: str) -> Iterator[None]:
    """Let one process of this machine in alone, and the others together once one has come out.

    So eight actors that start together compile once, and seven find it compiled. A process that dies lets the next in.
    """
    mark = folder / f"{key}.compiled"
    if not mark.exists():
        with (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # closing the file unlocks it
            if not mark.exists():
                yield
                mark.touch()
                return
    yield


def _key(model: Network, *parts: str) -> str:
    described = (version("stcn"), repr(model.config), *parts)
    return hashlib.sha256("\n".join(described).encode()).hexdigest()[:16]
