"""The arguments of `propagate` and `Session`: refused where the mistake is made, and copied where they could change."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

import numpy as np
from torch import Tensor

from stcn_core.config import PropagationConfig
from stcn_core.memory.eviction import POLICIES
from stcn_core.memory.similarities import SIMILARITIES
from stcn_core.models.network import Network
from stcn_core.yuv import YuvFrame

Labels = np.ndarray | Tensor  # integers (H, W): 0 = unlabelled, a positive id = an object
Prompts = Mapping[int, np.ndarray]  # frame index -> label map
Removals = Mapping[int, Collection[int]]  # frame index -> object ids
NOTHING_REMOVED: Removals = MappingProxyType({})
MAX_OBJECT_ID = 2**31 - 1  # labels are int32


def validated_config(model: object, config: object) -> PropagationConfig:
    """The config, or the model's defaults for None.

    Raises TypeError where `model` is no network or `config` no config, and ValueError for a model in training mode and
    for names that are not registered.
    """
    if not isinstance(model, Network):
        raise TypeError(f"model is {described(model)}; legal: a network, as load_model returns it")
    if model.training:
        raise ValueError("the model is in training mode; legal: model.eval(), as load_model returns it")
    config = PropagationConfig.for_model(model) if config is None else config
    if not isinstance(config, PropagationConfig):
        raise TypeError(f"config is {described(config)}; legal: a PropagationConfig, or None for the model's defaults")
    SIMILARITIES[model.config.similarity]
    POLICIES[config.memory_policy]
    return config


def check_memory_read(memory_read: object) -> None:
    """Raise TypeError for what cannot be called."""
    if not callable(memory_read):
        raise TypeError(f"memory_read is {described(memory_read)}; legal: a callable such as read_memory")


def check_size(size: object) -> None:
    """Raise ValueError for anything but (height, width) in pixels, or None."""
    is_pair = isinstance(size, tuple) and len(size) == 2 and all(_is_integer(side) and side > 0 for side in size)
    if size is not None and not is_pair:
        raise ValueError(f"size={size!r} is not usable; legal: (height, width) in pixels, or None for the frames' size")


def frozen_prompts(prompts: object, size: tuple[int, int] | None = None) -> dict[int, np.ndarray]:
    """A copy of prompts whose label maps have one size, which is `size` where that is given.

    Raises TypeError for what is no mapping, and ValueError for illegal frame indices and label maps.
    """
    if not isinstance(prompts, Mapping):
        raise TypeError(f"prompts are {described(prompts)}; legal: a mapping from frame index to label map")
    frozen: dict[int, np.ndarray] = {}
    for key, labels in prompts.items():
        index = _frame_index("prompts", key)
        frozen[index] = frozen_labels(f"the prompt on frame {index}", labels, size)
        size = size or frozen[index].shape
    return frozen


def frozen_labels(name: str, labels: object, size: tuple[int, ...] | None) -> np.ndarray:
    """A copy of a label map on the host. `name` begins error messages."""
    on_host = labels.cpu().numpy() if isinstance(labels, Tensor) else labels
    check_labels(name, on_host, size)
    return np.array(on_host)


def check_labels(name: str, labels: object, size: tuple[int, ...] | None) -> None:
    """Raise ValueError for what is no label map of this size (H, W)."""
    if not isinstance(labels, np.ndarray) or not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 2:
        raise ValueError(f"{name} is {described(labels)}; legal: integers >= 0, (height, width){_advice(labels)}")
    if labels.size and not 0 <= labels.min() <= labels.max() <= MAX_OBJECT_ID:
        raise ValueError(f"{name} has labels {labels.min()} to {labels.max()}; legal: integers >= 0, < 2**31")
    if size is not None and labels.shape != tuple(size):
        raise ValueError(f"{name} is {labels.shape}; legal: the same size as frames and other prompts, {tuple(size)}")


def frozen_removals(removals: object) -> dict[int, frozenset[int]]:
    """A copy of removals. Raises TypeError for what is no mapping, and ValueError for illegal indices and ids."""
    if not isinstance(removals, Mapping):
        raise TypeError(f"removals are {described(removals)}; legal: a mapping from frame index to object ids")
    return {
        (index := _frame_index("removals", key)): frozen_ids(f"the removal on frame {index}", ids)
        for key, ids in removals.items()
    }


def frozen_ids(name: str, ids: object) -> frozenset[int]:
    """A copy of object ids. Raises ValueError for anything else."""
    legal = isinstance(ids, Collection) and all(_is_integer(one) and one > 0 for one in ids)
    if not legal or not isinstance(ids, Collection):
        raise ValueError(f"{name} is {ids!r}; legal: a collection of object ids, which are integers > 0")
    return frozenset(int(one) for one in ids)


def described(value: object) -> str:
    """A value's library, type and shape, for error messages."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, YuvFrame):
        return f"YuvFrame {value.size}"
    return f"{value!r:.60}, of type {type(value).__name__}"


def _advice(labels: object) -> str:
    is_boolean = isinstance(labels, np.ndarray) and labels.dtype == bool
    return ": a mask of one object is mask.astype(np.uint8)" if is_boolean else ""


def _frame_index(name: str, key: object) -> int:
    if not _is_integer(key) or key < 0:  # type: ignore[operator]
        raise ValueError(f"{name} have the key {key!r}; legal: frame indices, which are integers >= 0")
    return int(key)  # type: ignore[call-overload, no-any-return]


def _is_integer(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
