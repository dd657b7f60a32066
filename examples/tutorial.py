"""Draw clips of one kind of animal, and train a small segmenter on what `stcn` makes of them: the code of TUTORIAL.md.

Shapes: T frames of H x W pixels, S frames of all clips, B of a batch.
"""

import argparse
import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from jobs.dataset.mask_dataset import MaskDataset
from jobs.dataset.sample import Sample
from jobs.outputs.label_maps import to_image
from jobs.outputs.video_writer import VideoWriter
from stcn_core.synthetic.clips import draw_unobstructed_scene
from stcn_core.synthetic.motion import POSE_SIZE
from stcn_core.synthetic.rendering import render
from stcn_core.synthetic.scene import Layer
from stcn_core.synthetic.textures import stripes_texture

HEIGHT, WIDTH, FRAMES = 192, 320, 48  # of a clip
SHORT_SIDE = 72  # pixels, of what the segmenter sees
HELD_OUT = 1_000_000  # clips of seeds from here on are never trained on

Labelled = tuple[Tensor, Tensor]  # images, uint8 (S, 3, H, W), and which pixels are of the animal, bool (S, H, W)


def draw_clip(seed: int, times: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """A striped animal that comes nearer and turns, among things of any other look, while evening falls.

    Frames, uint8 (T, H, W, 3), and label maps (T, H, W).
    """
    scene = draw_unobstructed_scene(seed, 0, HEIGHT, width=WIDTH, objects=1, late={}, zoom=1.0)
    rng = np.random.default_rng([seed, 1])
    layers = [animal(layer, rng) if layer.label else layer for layer in scene.layers]
    frames, labels, _ = render(replace(scene, layers=layers), times, HEIGHT, width=WIDTH)
    evening = torch.from_numpy(rng.uniform([0.1, 0.2, 0.6], [0.2, 0.35, 0.9])).float()  # left of red, green and blue
    passed = (torch.tensor(times) / FRAMES).view(-1, 1, 1, 1)
    return (frames * torch.lerp(torch.ones(3), evening, passed)).byte().numpy(), labels.numpy()


def animal(layer: Layer, rng: np.random.Generator) -> Layer:
    """The layer in dark stripes on yellow to red; over the clip up to 2.5 times as large, and turned by a third."""
    light = [rng.uniform(0.6, 1), rng.uniform(0.25, 0.7), rng.uniform(0, 0.3)]
    coat = stripes_texture(rng, layer.texture.shape[1], torch.tensor([[rng.uniform(0, 0.25)] * 3, light]).float())
    motion = torch.tensor([[0, 0, rng.uniform(0, math.log(2.5)), rng.uniform(-2, 2), 0, 0]])
    path = replace(
        layer.path,
        amplitude=torch.cat([layer.path.amplitude, motion]),
        frequency=torch.cat([layer.path.frequency, torch.full((1, POSE_SIZE), math.pi / 2 / FRAMES)]),
        phase=torch.cat([layer.path.phase, torch.zeros(1, POSE_SIZE)]),
    )
    return replace(layer, texture=coat, path=path)


def draw(folder: Path, clips: int = 4, frames: int = FRAMES) -> None:
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


def read(selection: str) -> tuple[Labelled, Labelled]:
    """The prompts, which are on the first frames, and all frames with masks."""

    def is_first_and_pixels(sample: Sample) -> tuple[bool, Tensor, Tensor]:
        return sample["frame_index"] == 0, sample["image"], sample["masks"].any(0)

    dataset = MaskDataset(selection, short_side=SHORT_SIDE, transform=is_first_and_pixels)
    is_first, images, masks = zip(*DataLoader(dataset.stream(), batch_size=None), strict=True)
    first = torch.tensor(is_first)
    every = torch.stack(images), torch.stack(masks)
    return (every[0][first], every[1][first]), every


def held_out(clips: int) -> Labelled:
    """True masks of frames from the whole length of clips that were not drawn above."""
    drawn = [draw_clip(HELD_OUT + seed, range(5, FRAMES, 14)) for seed in range(clips)]
    images = torch.cat([torch.from_numpy(frames) for frames, _ in drawn]).permute(0, 3, 1, 2)
    masks = torch.cat([torch.from_numpy(labels > 0) for _, labels in drawn])
    size = (SHORT_SIDE, WIDTH * SHORT_SIDE // HEIGHT)
    small = F.interpolate(images.float(), size, mode="bilinear", antialias=True).round().byte()
    return small, F.interpolate(masks[:, None].float(), size, mode="nearest-exact")[:, 0] > 0


class Segmenter(nn.Module):
    """A small U-Net: images, uint8 (B, 3, H, W), to logits of the animal (B, H, W)."""

    def __init__(self, channels: Sequence[int] = (12, 24, 32, 48)) -> None:
        super().__init__()
        self.down = nn.ModuleList(block(a, b, stride=2) for a, b in zip((3, *channels), channels, strict=False))
        self.up = nn.ModuleList(block(a + b, b) for a, b in zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.last = nn.Conv2d(channels[0], 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        levels = [images.float() / 255 - 0.5]
        for layer in self.down:
            levels.append(layer(levels[-1]))
        x = levels.pop()
        for layer in self.up:
            skip = levels.pop()
            x = layer(torch.cat([F.interpolate(x, skip.shape[2:]), skip], 1))
        return F.interpolate(self.last(x), images.shape[2:], mode="bilinear")[:, 0]


def block(before: int, after: int, stride: int = 1) -> nn.Module:
    """A convolution that can be trained."""
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.GroupNorm(4, after), nn.SiLU())


def train(labelled: Labelled, steps: int, seed: int, batch: int = 8) -> Segmenter:
    """A segmenter of these frames; both kinds are trained by this."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Segmenter()
    optimiser = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    for _ in range(steps):
        chosen = rng.integers(len(labelled[0]), size=batch)
        turned = [axis for axis in (-1, -2) if rng.random() < 0.5]
        images, masks = (of[chosen].flip(turned) for of in labelled)
        logits, true = model(images), masks.float()
        found = logits.sigmoid()
        overlap = 2 * (found * true).sum() / (found + true).sum()  # Dice, as the animal is few of the pixels
        loss = F.binary_cross_entropy_with_logits(logits, true) + 1 - overlap
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return model


@torch.no_grad()
def mean_iou(model: Segmenter, labelled: Labelled) -> float:
    """Over the frames that show the animal."""
    images, masks = labelled
    found = torch.cat([model(some) > 0 for some in images.split(16)])
    shown = masks.any(2).any(1)
    iou = (found & masks).sum((1, 2)) / (found | masks).sum((1, 2))
    return float(iou[shown].mean())


def compare(selection: str, steps: int = 300, seeds: int = 3, clips: int = 24) -> list[tuple[float, float]]:
    """Mean IoU on held-out clips, trained on the prompts and on all masks: a line for each seed, and the mean."""
    prompts, every = read(selection)
    truth = held_out(clips)
    print(f"seed  {len(prompts[0])} prompts  {len(every[0])} masks")
    scores = []
    for seed in range(seeds):
        scores.append((mean_iou(train(prompts, steps, seed), truth), mean_iou(train(every, steps, seed), truth)))
        print(f"{seed:4d}  {scores[-1][0]:9.3f}  {scores[-1][1]:9.3f}", flush=True)
    print("mean  {:9.3f}  {:9.3f}".format(*np.mean(scores, axis=0)))
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("draw", "train"))
    parser.add_argument("location", help="draw: a new folder; train: an output or a selection")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # small tensors gain nothing from more
    draw(Path(arguments.location)) if arguments.step == "draw" else compare(arguments.location)
