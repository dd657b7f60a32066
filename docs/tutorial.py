"""Draw clips of one class of object, and train a small segmenter on their masks: the code of TUTORIAL.md."""

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor, nn

from jobs.dataset import MaskDataset
from jobs.outputs.label_maps import to_image
from jobs.outputs.writer import VideoWriter
from jobs.sample import Sample
from stcn_core.rendering import render
from stcn_core.scene import Layer
from stcn_core.synthetic import draw_visible_scene
from stcn_core.textures import stripes_texture

HEIGHT, WIDTH = 192, 320
FRAMES = 48  # of a clip
HELD_OUT = 1_000_000  # seeds from here on are of clips that are never trained on

Clip = tuple[np.ndarray, np.ndarray]  # frames, uint8 (T, H, W, 3), and whether a pixel is of the object (T, H, W)


def draw_clip(seed: int, times: Sequence[int]) -> Clip:
    """A striped animal that comes nearer and turns, among things of any other look, while evening falls."""
    scene = draw_visible_scene(seed, 0, HEIGHT, WIDTH, objects=1, late={}, zoom=1.0)
    rng = np.random.default_rng([seed, 1])
    layers = [animal(layer, rng) if layer.label else layer for layer in scene.layers]
    frames, labels, _ = render(replace(scene, layers=layers), times, HEIGHT, WIDTH)
    evening = torch.from_numpy(rng.uniform(0.1, 0.4, 3)).float()  # what is left of red, green and blue
    passed = (torch.tensor(times) / FRAMES).clamp(max=1).view(-1, 1, 1, 1)
    return (frames * torch.lerp(torch.ones(3), evening, passed)).byte().numpy(), labels.numpy() > 0


def animal(layer: Layer, rng: np.random.Generator) -> Layer:
    """The layer with a coat, and over the clip up to 2.5 times as large and turned by up to a third."""
    motion = torch.tensor([[0, 0, rng.uniform(0, math.log(2.5)), rng.uniform(-2, 2), 0]])
    path = layer.path
    slow = torch.full((1, 5), math.pi / 2 / FRAMES)
    path = replace(
        path,
        amplitude=torch.cat([path.amplitude, motion]),
        frequency=torch.cat([path.frequency, slow]),
        phase=torch.cat([path.phase, torch.zeros(1, 5)]),
    )
    return replace(layer, texture=coat(rng, layer.texture.shape[1]), path=path)


def coat(rng: np.random.Generator, size: int) -> Tensor:
    """Dark stripes on yellow to red, no two alike: (3, size, size)."""
    light = [rng.uniform(0.6, 1), rng.uniform(0.25, 0.7), rng.uniform(0, 0.3)]
    palette = torch.tensor([[rng.uniform(0, 0.25)] * 3, light], dtype=torch.float32)
    return stripes_texture(rng, size, palette)


def draw_archive(folder: Path, clips: int = 16, frames: int = 48) -> None:
    """Write videos, a mask of each one's first frame, and the manifest."""
    (folder / "prompts").mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("video_id", "video", "prompts"))
        for seed in range(clips):
            images, labels = draw_clip(seed, range(frames))
            with VideoWriter(folder / f"videos/{seed}.mp4", Fraction(24)) as video:
                for image in images:
                    video.write(image)
            to_image(labels[0]).save(folder / f"prompts/{seed}.png")
            writer.writerow((seed, f"videos/{seed}.mp4", f"prompts/{seed}.png"))


class Segmenter(nn.Module):
    """A small U-Net: images, uint8 (B, 3, H, W), to the logits of the object (B, H, W)."""

    def __init__(self, channels: tuple[int, ...] = (12, 24, 32, 48)) -> None:
        super().__init__()
        self.down = nn.ModuleList(block(a, b, stride=2) for a, b in zip((3, *channels), channels, strict=False))
        self.up = nn.ModuleList(block(a + b, b) for a, b in zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.last = nn.Conv2d(channels[0], 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        x, skipped = images.float() / 255 - 0.5, []
        for layer in self.down:
            skipped.append(x := layer(x))
        for layer, skip in zip(self.up, skipped[-2::-1], strict=True):
            x = layer(torch.cat([F.interpolate(x, skip.shape[2:]), skip], 1))
        return F.interpolate(self.last(x), images.shape[2:], mode="bilinear")[:, 0]


def block(before: int, after: int, stride: int = 1) -> nn.Module:
    """A convolution that can be trained."""
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.GroupNorm(4, after), nn.ReLU())


def train(images: Tensor, masks: Tensor, steps: int, seed: int, batch: int = 8) -> Segmenter:
    """images uint8 (S, 3, H, W), masks bool (S, H, W)."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Segmenter()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, steps)
    for _ in range(steps):
        chosen = rng.integers(len(images), size=batch)
        x, y = images[chosen], masks[chosen].float()
        if rng.random() < 0.5:
            x, y = x.flip(-1), y.flip(-1)
        if rng.random() < 0.5:
            x, y = x.flip(-2), y.flip(-2)
        logits = model(x)
        found = logits.sigmoid()
        overlap = 2 * (found * y).sum() / (found + y).sum()  # Dice: the object is few of the pixels
        loss = F.binary_cross_entropy_with_logits(logits, y) + 1 - overlap
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def mean_iou(model: Segmenter, clips: list[Clip]) -> float:
    scores = []
    for images, labels in clips:
        found = model(torch.from_numpy(images).permute(0, 3, 1, 2)) > 0
        true = torch.from_numpy(labels) > 0
        union = (found | true).sum((1, 2))
        iou = (found & true).sum((1, 2)) / union.clamp(min=1)
        scores += iou[true.any(2).any(1)].tolist()
    return float(np.mean(scores))
