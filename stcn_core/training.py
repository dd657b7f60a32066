"""Training STCN on drawn clips: what a step sees, one step, and the schedule.

As at inference, frame 0 is given with its mask, frame 1 is read from it, and frame 2 from frame 0 and from
frame 1 as it was predicted. Everything is a function of a seed and the step, so that a run that is taken
up again repeats what it would have been.

Shapes: B clips, T = 3 frames, O objects, H x W pixels, h x w = H/16 x W/16.
"""

import copy
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stcn_core import losses
from stcn_core.attention import readout, similarity
from stcn_core.backbones import BasicBlock, Bottleneck
from stcn_core.drawing.pictures import Pictures
from stcn_core.masks import aggregate
from stcn_core.network import Query
from stcn_core.stcn import STCN
from stcn_core.synthetic import draw_side_by_side

SIZES = ((128, 128), (128, 160), (160, 160), (144, 224), (192, 192), (192, 288), (240, 320))  # H, W
SIZE_CHANCES = (0.33, 0.14, 0.2, 0.12, 0.1, 0.07, 0.04)
PIXELS_PER_CLIP = 128 * 128  # a batch of larger frames has fewer clips, at least 2
GAPS = (4, 20)  # frames between two of a clip, at most: at the start and from halfway on
MOST_ZOOM = 2.5  # as of a small part of a frame
MAX_GRADIENT_NORM = 5.0
WEIGHTS = {"dice": 0.5, "carried": 0.5, "surface": 0.25}  # beside cross-entropy's 1


@dataclass(frozen=True)
class Batch:
    """Clips of one size."""

    images: Tensor  # B, T, 3, H, W: uint8
    labels: Tensor  # B, T, H, W: int64, 0 to O
    surfaces: Tensor  # B, T, h, w, 3
    objects: int

    def split(self, parts: int) -> "list[Batch]":
        """At most `parts` batches of about as many clips each."""
        parted = [x.tensor_split(parts) for x in (self.images, self.labels, self.surfaces)]
        return [Batch(images, labels, surfaces, self.objects) for images, labels, surfaces in zip(*parted, strict=True)]


def draw_batch(seed: int, step: int, steps: int, clips: int, pictures: Pictures | None = None) -> Batch:
    """What `step` (from 0) of `steps` sees. `clips` is for frames of 128 x 128; larger ones have fewer."""
    rng = np.random.default_rng([seed, step])
    height, width = SIZES[rng.choice(len(SIZES), p=SIZE_CHANCES)]
    count = max(2, round(clips * PIXELS_PER_CLIP / (height * width)))
    objects = int(rng.choice([1, 2, 3], p=[0.2, 0.65, 0.15]))
    longest = GAPS[0] + (GAPS[1] - GAPS[0]) * min(1.0, 2 * step / steps)
    gaps = rng.integers(1, 1 + round(longest), (count, 2))
    times = torch.from_numpy(np.column_stack([np.zeros(count, int), gaps.cumsum(1)]))
    seeds, zooms = rng.integers(2**40, size=count).tolist(), np.exp(rng.uniform(0, math.log(MOST_ZOOM), count)).tolist()
    drawn = draw_side_by_side(seeds, times, height, width, objects, zooms, pictures)
    return Batch(drawn.frames, drawn.labels.long(), drawn.surface, objects)


def learning_rate(step: int, steps: int, peak: float, warmup: int) -> float:
    """Linear from 0 to `peak` over `warmup` steps, then a cosine down to a hundredth of it."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def bootstrap_share(step: int, steps: int) -> float:
    """The hardest share of pixels that cross-entropy looks at: all for a fifth of the run, then down to 0.15."""
    return min(1.0, max(0.15, 1 - 0.85 * (step / steps - 0.2) / 0.4))


def forward_losses(model: STCN, batch: Batch, share: float) -> dict[str, Tensor]:
    """The terms of the loss on a batch, and "iou", the mean IoU of what was predicted."""
    targets = F.one_hot(batch.labels, batch.objects + 1).permute(0, 1, 4, 2, 3).float()  # B, T, 1 + O, H, W
    images = batch.images.float() / 255
    images = model.preprocess(images.flatten(0, 1)).contiguous(memory_format=torch.channels_last)
    query = model.encode_query(images)
    images, queries = images.unflatten(0, (-1, 3)), split_frames(query)
    terms = key_losses(model, queries, targets, batch.surfaces)
    planes = targets[:, 0]
    keys: list[Tensor] = []
    values: list[Tensor] = []
    predicted = []
    for frame in (1, 2):
        key, value = model.encode_memory(images[:, frame - 1], queries[frame - 1], planes[:, 1:])
        keys.append(key.flatten(3))  # B, 1, CK, N
        values.append(value.flatten(3))  # B, O, CV, N
        planes = aggregate(read_and_segment(model, keys, values, queries[frame]))  # B, 1 + O, H, W
        predicted.append(planes)
    stacked, truth = torch.cat(predicted), torch.cat([targets[:, 1], targets[:, 2]])
    labels = torch.cat([batch.labels[:, 1], batch.labels[:, 2]])
    terms["cross_entropy"] = losses.bootstrapped_cross_entropy(stacked, labels, share)
    terms["dice"] = losses.dice_loss(stacked[:, 1:], truth[:, 1:])
    terms["iou"] = mean_iou(stacked.detach(), truth)
    return terms


def split_frames(query: Query) -> list[Query]:
    """The query of B*T images as one query of B images a frame."""
    parts = [x.unflatten(0, (-1, 3)) for x in (query.key, query.value, query.f16, query.f8, query.f4)]
    return [Query(*(x[:, frame] for x in parts)) for frame in range(3)]


def key_losses(model: STCN, queries: list[Query], targets: Tensor, surfaces: Tensor) -> dict[str, Tensor]:
    """What the keys alone carry between pairs of frames. targets (B, T, 1 + O, H, W)."""
    carried, surface = [], []
    for memory, query in ((0, 1), (0, 2), (1, 2)):
        scores = similarity(queries[memory].key.flatten(2), queries[query].key.flatten(2), model.config.similarity)
        carried.append(losses.carried_mask_loss(scores.softmax(1), targets[:, memory], targets[:, query]))
        surface.append(losses.surface_loss(scores, surfaces[:, memory], surfaces[:, query]))
    return {"carried": torch.stack(carried).mean(), "surface": torch.stack(surface).mean()}


def read_and_segment(model: STCN, keys: list[Tensor], values: list[Tensor], query: Query) -> Tensor:
    """Probabilities (B, O, H, W) of a frame from memory keys (B, 1, CK, N) and values (B, O, CV, N)."""
    height, width = query.key.shape[-2:]
    scores = similarity(torch.cat(keys, -1), query.key.flatten(2).unsqueeze(1), model.config.similarity)
    read = readout(scores.softmax(-2), torch.cat(values, -1))  # B, O, CV, Q
    return model.segment(read.unflatten(-1, (height, width)), query)


def mean_iou(planes: Tensor, targets: Tensor) -> Tensor:
    """Mean IoU over the objects present in planes and targets (B, 1 + O, H, W)."""
    chosen = F.one_hot(planes.argmax(1), planes.shape[1]).permute(0, 3, 1, 2)[:, 1:].bool()
    truth = targets[:, 1:].bool()
    union = (chosen | truth).sum((-2, -1))
    iou = (chosen & truth).sum((-2, -1)) / union.clamp(min=1)
    return iou.sum() / (union > 0).sum().clamp(min=1)


def share_parameters(model: STCN) -> STCN:
    """A network with the parameters of `model`, the same tensors, and batch statistics of its own."""
    other = copy.deepcopy(model)
    for module, twin in zip(model.modules(), other.modules(), strict=True):
        twin._parameters.update(module._parameters)
    return other


def begin_as_identity(model: STCN) -> None:
    """Let each residual block of the trunks begin as its shortcut alone (Goyal et al., 2017, section 5.1)."""
    for module in model.modules():
        if isinstance(module, (Bottleneck, BasicBlock)):
            last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
            nn.init.zeros_(last.weight)


def take_fitting(model: STCN, state: Mapping[str, Tensor]) -> dict[str, object]:
    """Begin with the entries that have the same names and sizes; returns how many, and what was left as it was."""
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in state.items() if name in own and tensor.shape == own[name].shape}
    model.load_state_dict(fitting, strict=False)
    left = [name for name in own if name not in fitting and not name.endswith("num_batches_tracked")]
    return {"taken": len(fitting), "left": left}


class Trainer:
    """A network in training, its optimiser, and the running average of its weights that is kept.

    A batch is split in `threads` parts, computed side by side by a thread each: the convolutions of a small
    network gain little from more threads inside. Batch norm sees a part; the first part's statistics stay.
    """

    def __init__(
        self, model: STCN, steps: int, peak_rate: float, warmup: int, threads: int = 1, average_decay: float = 0.998
    ) -> None:
        self.model = model.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.replicas = [self.model, *(share_parameters(self.model) for _ in range(threads - 1))]
        self.pool = ThreadPoolExecutor(threads)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=peak_rate, weight_decay=1e-4, fused=True)
        self.average = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.step, self.steps, self.peak_rate, self.warmup = 0, steps, peak_rate, warmup
        self.average_decay = average_decay

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One update. Returns the terms of the loss, their weighted total "loss", "iou" and "gradient"."""
        rate = learning_rate(self.step, self.steps, self.peak_rate, self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parts = [part for part in batch.split(len(self.replicas)) if len(part.images)]
        results = list(self.pool.map(self.gradients, self.replicas, parts))
        shares = [len(part.images) / len(batch.images) for part in parts]
        for index, parameter in enumerate(self.model.parameters()):
            weighted = [share * gradients[index] for share, (_, gradients) in zip(shares, results, strict=True)]
            # In the parameter's layout, which fused AdamW relies on.
            parameter.grad = torch.empty_like(parameter).copy_(sum(weighted[1:], start=weighted[0]))
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.update_average()
        self.step += 1
        terms = {name: sum(s * r[0][name] for s, r in zip(shares, results, strict=True)) for name in results[0][0]}
        return terms | {"gradient": norm.item()}

    def gradients(self, replica: STCN, part: Batch) -> tuple[dict[str, float], tuple[Tensor, ...]]:
        """The terms of the loss on a part of a batch, and the gradient of each parameter."""
        terms = forward_losses(replica, part, bootstrap_share(self.step, self.steps))
        loss = terms["cross_entropy"] + sum(weight * terms[name] for name, weight in WEIGHTS.items())
        gradients = torch.autograd.grad(loss, list(self.model.parameters()))
        return {name: value.item() for name, value in (terms | {"loss": loss}).items()}, gradients

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average of weights and statistics; short at first, when weights move fast."""
        decay = min(self.average_decay, (1 + self.step) / (10 + self.step))
        for name, tensor in self.model.state_dict().items():
            kept = self.average[name]
            if kept.is_floating_point():
                kept.lerp_(tensor, 1 - decay)
            else:
                kept.copy_(tensor)

    def averaged_model(self) -> STCN:
        """A copy of the network with the averaged weights, in evaluation mode."""
        model = STCN(self.model.config)
        model.load_state_dict(self.average)
        return model.eval()

    def state_dict(self) -> dict[str, object]:
        """All that the next steps depend on, beside the seed."""
        return {
            "network": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
            "average": self.average, "step": self.step,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take up what `state_dict` gave."""
        self.model.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        self.average = {name: tensor.clone() for name, tensor in state["average"].items()}  # type: ignore[attr-defined]
        self.step = int(state["step"])  # type: ignore[call-overload]
