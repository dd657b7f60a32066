"""Propagation written plainly: one frame at a time, the affinity whole, each object by itself; in float64."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

from stcn_core.models.network import Network, Query

Memory = dict[int, list[tuple[Tensor, Tensor]]]  # object -> key (CK, h*w) and value (CV, h*w) of each frame


@torch.inference_mode()
def reference(
    model: Network,
    frames: Iterable[np.ndarray],
    prompts: Mapping[int, np.ndarray],
    memory_every: int,
    top_k: int | None,
    include_last: bool,
    removals: Mapping[int, Collection[int]] = {},
) -> list[dict[int, np.ndarray]]:
    """Per frame, the probability (H, W) of each object seen so far, and of the background as object 0."""
    results: list[dict[int, np.ndarray]] = []
    permanent: Memory = {}
    last: Memory = {}
    last_permanent = -1
    for t, frame in enumerate(frames):
        for gone in removals.get(t, ()):
            permanent.pop(gone, None)
            last.pop(gone, None)
        image = model.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None].contiguous() / 255).double()
        query = model.encode_query(image)
        temporary = last if include_last else {}
        soft = {i: _segment(model, query, entries + temporary.get(i, []), top_k) for i, entries in permanent.items()}
        planes = _aggregate(soft, image)
        memorised = {i: plane for i, plane in planes.items() if i}
        prompt = prompts.get(t)
        prompted = prompt is not None and bool(prompt.any())
        if prompt is not None and prompted:
            edited = _put_prompt(memorised, _pad(prompt, image))
            planes = _aggregate(edited, image)
            exactly = model.memorises_prompt_exactly
            memorised = edited if exactly else {i: plane for i, plane in planes.items() if i}
        results.append({i: _cut(plane, frame).numpy() for i, plane in planes.items()})
        if not memorised:
            continue
        if not model.memorises_padding:
            memorised = {i: _pad(_cut(plane, frame).numpy(), image) for i, plane in memorised.items()}
        last = _memorise(model, image, query, memorised)
        if prompted or t - last_permanent >= memory_every:
            for i, entries in last.items():
                permanent.setdefault(i, []).extend(entries)
            last, last_permanent = {}, t
    return results


def _segment(model: Network, query: Query, memory: list[tuple[Tensor, Tensor]], top_k: int | None) -> Tensor:
    keys = torch.cat([key for key, _ in memory], dim=1)  # CK, N
    values = torch.cat([value for _, value in memory], dim=1)  # CV, N
    q = query.key[0].flatten(1)  # CK, Q
    if model.config.similarity == "l2":
        scores = -((keys[:, :, None] - q[:, None, :]) ** 2).sum(0) / len(q) ** 0.5
    else:
        scores = keys.T @ q / len(q) ** 0.5
    if top_k is not None and len(scores) > top_k:
        kth = scores.sort(dim=0, descending=True).values[top_k - 1]
        scores = scores.masked_fill(scores < kth, float("-inf"))
    read = values @ scores.softmax(dim=0)
    shape = query.value.shape[1:]
    return model.segment(read.view(1, 1, *shape), query)[0, 0]


def _aggregate(soft: dict[int, Tensor], image: Tensor) -> dict[int, Tensor]:
    background = torch.ones(image.shape[-2:], dtype=image.dtype)
    for plane in soft.values():
        background = background * (1 - plane)
    odds = {}
    for i, plane in {0: background, **soft}.items():
        clamped = plane.clamp(1e-7, 1 - 1e-7)
        odds[i] = clamped / (1 - clamped)
    total = sum(odds.values(), torch.zeros(()))
    return {i: plane / total for i, plane in odds.items()}


def _put_prompt(planes: dict[int, Tensor], prompt: Tensor) -> dict[int, Tensor]:
    edited = {i: plane * (prompt == 0) for i, plane in planes.items()}
    for i in prompt.unique().tolist():
        if i:
            edited[int(i)] = (prompt == i).double()
    return edited


def _memorise(model: Network, image: Tensor, query: Query, planes: dict[int, Tensor]) -> Memory:
    ids = list(planes)
    masks = torch.stack([planes[i] for i in ids])
    key, value = model.encode_memory(image, query, masks[None])
    return {i: [(key[0, n if key.shape[1] > 1 else 0].flatten(1), value[0, n].flatten(1))] for n, i in enumerate(ids)}


def _pad(plane: np.ndarray, image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    down, across = height - plane.shape[0], width - plane.shape[1]
    sides = ((down // 2, down - down // 2), (across // 2, across - across // 2))
    return torch.from_numpy(np.pad(plane.astype(np.float64), sides))


def _cut(plane: Tensor, frame: np.ndarray) -> Tensor:
    height, width = frame.shape[:2]
    top, left = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
    return plane[top : top + height, left : left + width]
