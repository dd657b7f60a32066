"""What runs on fake and on pretended devices: every network, and every option that changes what a device is asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from stcn_core import PropagationConfig, load_model, propagate
from stcn_core.acceleration.inference import folded
from stcn_core.models.network import Network
from stcn_core.propagation.results import FrameMasks
from tests.core.clips import as_planes, noisy_clip
from tests.core.tiny import tiny_model

FRAMES, HEIGHT, WIDTH = 31, 70, 90


@dataclass(frozen=True)
class Case:
    """One run of a network over one clip."""

    network: str = "stcn"  # a tiny one, or stcn-mini
    options: Mapping[str, object] = field(default_factory=dict)
    prompted: tuple[int, ...] = (0,)
    removals: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    objects: int = 2
    precision: torch.dtype = torch.float64
    as_planes: bool = False  # luma and chroma in place of RGB

    def model(self) -> Network:
        """In its form for inference, in the case's precision, on the CPU."""
        if self.network == "stcn-mini":
            return folded(load_model("stcn-mini"), self.precision)
        return folded(tiny_model(self.network), self.precision)

    def masks(self, model: Network) -> Iterator[FrameMasks]:
        """Propagate the case's prompts. Ids fall where they should rise, so that planes are put in order."""
        images, labels = noisy_clip(3, FRAMES, HEIGHT, WIDTH, self.objects)
        frames = list(map(as_planes, images)) if self.as_planes else images
        ids = np.array([0, *range(300 + self.objects, 300, -1)])
        prompts = {frame: ids[labels[frame]] for frame in self.prompted}
        config = PropagationConfig.for_model(model, **self.options)
        return propagate(model, frames, prompts, config=config, removals=self.removals)


HALF = torch.bfloat16
CASES = {
    "stcn": Case(),
    "stcn in bfloat16": Case(precision=HALF),
    "five objects": Case(objects=5, precision=HALF),
    "several prompts": Case(prompted=(0, 4, 13), precision=HALF),
    "a late first prompt": Case(prompted=(6,), precision=HALF),
    "a removal": Case(prompted=(0, 20), removals={8: (301,)}, precision=HALF),
    "backward": Case(prompted=(20,), options={"direction": "backward"}, precision=HALF),
    "both directions": Case(prompted=(0, 20), options={"direction": "both"}),
    "a full memory": Case(options={"max_memory_frames": 2, "memory_every": 3}),
    "a full memory by use": Case(options={"max_memory_frames": 2, "memory_policy": "used"}, precision=HALF),
    "all of memory": Case(options={"top_k": None}, precision=HALF),
    "a memory of every frame": Case(options={"memory_every": 1}, precision=HALF),
    "the last frame in memory": Case(options={"include_last": True}),
    "scaled down": Case(options={"short_side": 48}, precision=HALF),
    "planes": Case(as_planes=True),
    "planes, scaled down": Case(options={"short_side": 48}, as_planes=True, precision=HALF),
    "stm": Case("stm"),
    "stm, both directions": Case("stm", prompted=(0, 20), options={"direction": "both"}, precision=HALF),
    "stcn-mini": Case("stcn-mini", precision=HALF),
    "stcn-mini, five objects, a full memory": Case("stcn-mini", objects=5, options={"max_memory_frames": 3}),
}
