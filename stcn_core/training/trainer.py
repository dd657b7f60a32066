"""One stage of training: steps of the optimizer, and a running average of the weights.

Threads of one process compute parts of a batch side by side, and several processes a batch each. Every step is a
function of the batches, so that a resumed run repeats the steps of an uninterrupted one.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from stcn_core.models.checkpoint import build_like
from stcn_core.models.network import Network
from stcn_core.training.batch import Batch
from stcn_core.training.forward import forward_losses
from stcn_core.training.schedules import Points, interpolate, learning_rate

Average = Callable[[Iterable[Tensor]], None]  # replaces each tensor by its mean over all processes


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a stage is trained, whatever its batches hold."""

    steps: int
    learning_rate: float  # the peak
    warmup: int = 100  # steps
    drops: tuple[float, ...] = ()  # shares of the stage at which the rate falls to a tenth; none: a cosine
    bootstrap: Points = ((0.2, 1.0), (0.6, 0.15))  # the share of hardest pixels in the cross-entropy
    weights: Mapping[str, float] = field(default_factory=lambda: {"dice": 0.5, "carried": 0.5, "surface": 0.25})
    weight_decay: float = 1e-4
    decoupled_decay: bool = True  # AdamW; else Adam, with decay in the gradient
    gradient_norm: float = 5.0  # longer gradients are clipped
    rates: Mapping[str, float] = field(default_factory=dict)  # factors of the rate of modules, by name; 0 freezes
    freeze_batch_norm: bool = False  # keep the initial statistics, as in the published training
    average_decay: float = 0.998  # of the running average of the weights; 0 keeps the last weights


class Trainer:
    """One stage of a network's training.

    threads: parts of a batch that are computed side by side. Batch norm sees one part; the first part's statistics are
    kept. average: puts the mean over all processes in place of each gradient; None: there is one process.
    """

    def __init__(
        self,
        model: Network,
        schedule: Schedule,
        threads: int = 1,
        *,
        average: Average | None = None,
        bf16: bool = False,
    ) -> None:
        self.model = model.to(memory_format=torch.channels_last).requires_grad_(True).train()  # type: ignore[call-overload]
        self.schedule, self.step, self.bf16 = schedule, 0, bf16
        if schedule.freeze_batch_norm:
            freeze_batch_norm(self.model)
        factors = freeze_modules(self.model, schedule.rates)
        self.parameters = list(factors)
        self.replicas = [self.model, *(share_parameters(self.model) for _ in range(threads - 1))]
        self.pool = ThreadPoolExecutor(threads)
        optimizer = torch.optim.AdamW if schedule.decoupled_decay else torch.optim.Adam
        self.optimizer = optimizer(
            [{"params": group, "factor": factor} for factor, group in by_factor(factors).items()],
            lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True,
        )  # fmt: skip
        self.average_state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.average_gradients = average

    @property
    def device(self) -> torch.device:
        device: torch.device = self.parameters[0].device
        return device

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Make one update. Returns the loss terms, their weighted sum "loss", "iou", and the norm "gradient"."""
        schedule = self.schedule
        rate = learning_rate(
            self.step, schedule.steps, schedule.learning_rate, warmup=schedule.warmup, drops=schedule.drops
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        parts = batch.to(self.device).split(len(self.replicas))
        results = list(self.pool.map(self.gradients, self.replicas, parts))
        shares = [len(part.images) / len(batch.images) for part in parts]
        for index, parameter in enumerate(self.parameters):
            weighted = [share * gradients[index] for share, (_, gradients) in zip(shares, results, strict=True)]
            # In the parameter's layout, which fused AdamW relies on.
            parameter.grad = torch.empty_like(parameter).copy_(sum(weighted[1:], start=weighted[0]))
        if self.average_gradients:
            self.average_gradients(parameter.grad for parameter in self.parameters if parameter.grad is not None)
        norm = nn.utils.clip_grad_norm_(self.parameters, schedule.gradient_norm)
        self.optimizer.step()
        self.step += 1
        self.update_average()
        terms = {name: sum(s * r[0][name] for s, r in zip(shares, results, strict=True)) for name in results[0][0]}
        return terms | {"gradient": norm.item()}

    def gradients(self, replica: Network, part: Batch) -> tuple[dict[str, float], tuple[Tensor, ...]]:
        """Return the terms of the loss on one part of a batch, and the gradient of each parameter."""
        share = interpolate(self.schedule.bootstrap, self.step / self.schedule.steps)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            terms = forward_losses(replica, part, share)
        weights = {name: weight for name, weight in self.schedule.weights.items() if name in terms}
        loss = terms["cross_entropy"] + sum(weight * terms[name] for name, weight in weights.items())
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True, materialize_grads=True)
        return {name: value.item() for name, value in (terms | {"loss": loss}).items()}, gradients

    @torch.no_grad()
    def update_average(self) -> None:
        """Update the average of weights and statistics; it is short at first, when weights move fast."""
        decay = min(self.schedule.average_decay, self.step / (9 + self.step))
        for name, tensor in self.model.state_dict().items():
            average = self.average_state[name]
            if average.is_floating_point():
                average.lerp_(tensor, 1 - decay)
            else:
                average.copy_(tensor)

    def averaged_model(self) -> Network:
        """Return a copy of the network with the averaged weights, in evaluation mode."""
        return build_like(self.model, self.average_state)

    def state_dict(self) -> dict[str, object]:
        """Return the state that the next steps depend on, apart from the batches."""
        return {
            "network": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "kept": self.average_state,
            "step": self.step,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore the state that `state_dict` returned."""
        self.model.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])  # type: ignore[arg-type]
        self.average_state = {name: tensor.clone().to(self.device) for name, tensor in state["kept"].items()}  # type: ignore[attr-defined]
        self.step = int(state["step"])  # type: ignore[call-overload]


def share_parameters(model: Network) -> Network:
    """Return a copy that shares the parameters of `model` and has batch statistics of its own."""
    other = copy.deepcopy(model)
    for module, twin in zip(model.modules(), other.modules(), strict=True):
        for name, parameter in module.named_parameters(recurse=False):
            twin.register_parameter(name, parameter)
    return other


def freeze_batch_norm(model: Network) -> None:
    """Fix the statistics, scales and shifts of all batch norms."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval().requires_grad_(False)


def freeze_modules(model: Network, rates: Mapping[str, float]) -> dict[nn.Parameter, float]:
    """Fix the modules with a factor of 0. Returns the factor of each parameter that is trained, in the model's order.

    rates: factors by the names of modules. Raises ValueError for a name that the network lacks.
    """
    modules = dict(model.named_modules())
    if unknown := sorted(rates.keys() - modules.keys()):
        raise ValueError(f"rates of {unknown} are not usable; legal: modules, such as {[*modules][1:4]}")
    factors = {parameter: 1.0 for parameter in model.parameters() if parameter.requires_grad}
    for name, factor in rates.items():
        for parameter in modules[name].parameters():
            if factor == 0:
                factors.pop(parameter.requires_grad_(False), None)
            elif parameter in factors:
                factors[parameter] = factor
    return factors


def by_factor(factors: Mapping[nn.Parameter, float]) -> dict[float, list[nn.Parameter]]:
    """Group parameters by their factor."""
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter, factor in factors.items():
        groups.setdefault(factor, []).append(parameter)
    return groups
