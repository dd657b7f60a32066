"""The terms of the loss: a batch goes through the network as a clip does at inference.

Frame 0 enters memory with its true mask; each later frame reads all frames before it, and enters memory with its
predicted mask.

Shapes: B clips, T frames, O objects, CK/CV key/value channels, H x W pixels, h x w = H/16 x W/16, N = h*w.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from stcn_core.masks import aggregate
from stcn_core.memory.affinity import readout, similarity
from stcn_core.memory.locality import LocalityPrior, locality_prior
from stcn_core.models.network import Network, Query
from stcn_core.training import losses
from stcn_core.training.batch import Batch


def forward_losses(model: Network, batch: Batch, share: float) -> dict[str, Tensor]:
    """Compute the terms of the loss on a batch, and "iou", the mean IoU of the predicted masks.

    share: cross-entropy takes this share of the pixels, the hardest ones.

    Returns scalars: "cross_entropy", "dice" and "iou"; for networks with `keys_from_image` also "carried", and on
    synthetic clips "surface".
    """
    targets = F.one_hot(batch.labels, batch.objects + 1).permute(0, 1, 4, 2, 3).float()  # B, T, 1 + O, H, W
    times = batch.images.shape[1]
    images = model.preprocess(batch.images.flatten(0, 1).float() / 255).contiguous(memory_format=torch.channels_last)
    queries = split_frames(model.encode_query(images), times)
    predicted = predict(model, images.unflatten(0, (-1, times)), queries, first=targets[:, 0], times=batch.times)
    terms = key_losses(model, queries, targets, surfaces=batch.surfaces) if model.keys_from_image else {}
    stacked, truth = torch.cat(predicted), targets[:, 1:].transpose(0, 1).flatten(0, 1)
    labels = batch.labels[:, 1:].transpose(0, 1).flatten(0, 1)
    terms["cross_entropy"] = losses.bootstrapped_cross_entropy(stacked, labels, share)
    terms["dice"] = losses.dice_loss(stacked[:, 1:], truth[:, 1:])
    terms["iou"] = mean_iou(stacked.detach(), truth)
    return terms


def split_frames(query: Query, times: int) -> list[Query]:
    """Split the query of B*T images into one query of B images a frame."""
    clips = query.map(lambda tensor: tensor.unflatten(0, (-1, times)))  # B, T, ...
    return [clips.map(lambda tensor, frame=frame: tensor[:, frame]) for frame in range(times)]  # type: ignore[misc]


def predict(model: Network, images: Tensor, queries: list[Query], *, first: Tensor, times: Tensor) -> list[Tensor]:
    """Predict planes (B, 1 + O, H, W) of every frame but the first; all frames stay in memory.

    images: preprocessed, (B, T, 3, H, W). first: the true planes of frame 0. times: frame numbers, (B, T).
    """
    keys: list[Tensor] = []
    values: list[Tensor] = []
    predicted = [first]
    for frame in range(1, len(queries)):
        key, value = model.encode_memory(images[:, frame - 1], queries[frame - 1], predicted[-1][:, 1:])
        keys.append(key.flatten(3))  # B, 1 or O, CK, N
        values.append(value.flatten(3))  # B, O, CV, N
        ages = times[:, [frame]] - times[:, :frame]  # B, T
        predicted.append(aggregate(read_and_segment(model, keys, values, query=queries[frame], ages=ages)))
    return predicted[1:]


def read_and_segment(model: Network, keys: list[Tensor], values: list[Tensor], *, query: Query, ages: Tensor) -> Tensor:
    """Predict a frame's probabilities (B, O, H, W) from memory keys (B, 1 or O, CK, N) and values (B, O, CV, N).

    ages: frames between each memory frame and this one, (B, T).

    Training reads all positions: a network that was trained to read the best 5, as at inference, reached 0.825 J&F on
    synthetic clips instead of 0.849.
    """
    (height, width), locality = query.key.shape[-2:], model.config.locality
    near = locality_prior(locality, ages.unsqueeze(1), height, width=width) if locality else None
    scores = training_similarity(model, torch.cat(keys, -1), query.key.flatten(2).unsqueeze(1), near=near)
    read = readout(scores.softmax(-2), torch.cat(values, -1))  # B, O, CV, Q
    return model.segment(read.unflatten(-1, (height, width)), query)


def training_similarity(
    model: Network, memory_key: Tensor, query_key: Tensor, *, near: LocalityPrior | None = None
) -> Tensor:
    """Return the similarity of keys in float32, even under autocast: bfloat16 is 0.2 off in these exponents."""
    with torch.autocast(query_key.device.type, enabled=False):
        return similarity(memory_key, query_key, model.config.similarity, prior=near)


def key_losses(model: Network, queries: list[Query], targets: Tensor, *, surfaces: Tensor | None) -> dict[str, Tensor]:
    """Average the losses of the keys alone over all pairs of frames.

    targets (B, T, 1 + O, H, W) are true planes, surfaces (B, T, h, w, 3) what each place shows. Returns "carried", how
    badly keys carry masks from one frame to the other, and with surfaces "surface", how badly they match places.
    """
    carried, surface = [], []
    pairs = [(memory, query) for query in range(len(queries)) for memory in range(query)]
    for memory, query in pairs:
        scores = training_similarity(model, queries[memory].key.flatten(2), queries[query].key.flatten(2))
        carried.append(losses.carried_mask_loss(scores.softmax(1), targets[:, memory], targets[:, query]))
        if surfaces is not None:
            surface.append(losses.surface_loss(scores, surfaces[:, memory], surfaces[:, query]))
    terms = {"carried": torch.stack(carried).mean()}
    return terms | ({"surface": torch.stack(surface).mean()} if surface else {})


def mean_iou(planes: Tensor, targets: Tensor) -> Tensor:
    """Return the mean IoU over the objects that are present in planes or targets, (B, 1 + O, H, W) each."""
    chosen = F.one_hot(planes.argmax(1), planes.shape[1]).permute(0, 3, 1, 2)[:, 1:].bool()
    truth = targets[:, 1:].bool()
    union = (chosen | truth).sum((-2, -1))
    iou = (chosen & truth).sum((-2, -1)) / union.clamp(min=1)
    return iou.sum() / (union > 0).sum().clamp(min=1)
