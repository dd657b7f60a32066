"""Draw the pictures of CLIPS.md: one for each thing that drawn clips are made of.

python infra/model/clip_pictures.py docs/clips
"""

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stcn_core.synthetic import shapes, textures
from stcn_core.synthetic.clips import draw_unobstructed_scene
from stcn_core.synthetic.exposure import Exposure
from stcn_core.synthetic.rendering import render
from stcn_core.synthetic.scene import Layer, Scene

HEIGHT, WIDTH, GAP = 120, 192, 4  # pixels
SEED, TIMES = 23, (0, 8, 16, 24)
NOTHING = Exposure(light=torch.zeros(6), tint=torch.ones(3), shutter=0.0, blur=0.0, noise=0.0, quantiser=0.0, seed=0)


def still(seed: int = SEED, objects: int = 2) -> Scene:
    """A scene in which nothing moves and nothing is done to what the camera sees."""
    scene = draw_unobstructed_scene(seed, 0, HEIGHT, width=WIDTH, objects=objects, late={}, zoom=1.0)
    return replace(scene, layers=[at_rest(layer) for layer in scene.layers], shadow=torch.zeros(4), exposure=NOTHING)


def at_rest(layer: Layer) -> Layer:
    """The layer without motion."""
    path = layer.path
    zeros = {name: torch.zeros_like(getattr(path, name)) for name in ("amplitude", "bends", "hinges")}
    return replace(layer, path=replace(path, **zeros), glow=torch.zeros(3))


def with_things(scene: Scene, change: Callable[[Layer], Layer]) -> Scene:
    """All layers but the background, changed."""
    return replace(scene, layers=[layer if layer.distance is None else change(layer) for layer in scene.layers])


def swinging(layer: Layer, column: int, amount: float) -> Layer:
    """One number of the pose goes to and fro."""
    path = layer.path
    amplitude, frequency = torch.zeros(1, 6), torch.full((1, 6), math.pi / 24)
    amplitude[0, column] = amount
    return replace(layer, path=replace(path, amplitude=amplitude, frequency=frequency, phase=torch.zeros(1, 6)))


def moving(column: int, amount: float) -> Scene:
    return with_things(still(), lambda layer: swinging(layer, column, amount))


def seen(**exposure: object) -> Scene:
    scene = moving(0, 14.0)
    return replace(scene, exposure=replace(NOTHING, **exposure))  # type: ignore[arg-type]


def twins() -> Scene:
    """The second object looks like the first."""
    scene = still()
    one, other = (layer for layer in scene.layers if layer.label)
    alike = replace(other, texture=one.texture, distance=one.distance, half_size=one.half_size)
    layers = [alike if layer.label == other.label else layer for layer in scene.layers]
    return with_things(replace(scene, layers=layers), lambda layer: swinging(layer, 0, 12.0))


def camera() -> Scene:
    scene = still()
    return replace(scene, layers=[swinging(layer, 0, 40.0) for layer in scene.layers])


def hidden() -> Scene:
    """The first object passes behind the second."""
    scene = still()
    front = scene.layers[-1]
    middle = front.path.start[:2]
    behind = [swinging(replace(layer, path=replace(layer.path, start=torch.cat([middle - torch.tensor([60.0, 0]),
              layer.path.start[2:]]))), 0, 110.0) if layer.label and layer is not front else layer
              for layer in scene.layers]  # fmt: skip
    return replace(scene, layers=behind)


def bent() -> Scene:
    wave = torch.tensor([[0.1, 0.1, 2.0, 3.0, 0.2, 0.0], [0.0] * 6])
    return with_things(still(), lambda layer: replace(layer, path=replace(layer.path, bends=wave)))


def folded() -> Scene:
    hinge = torch.tensor([[0.1, 0.1, 0.8, 0.9, math.pi / 24, 0.0], [-0.1, -0.1, 3.6, 0.9, math.pi / 16, 1.0]])
    return with_things(still(), lambda layer: replace(layer, path=replace(layer.path, hinges=hinge)))


def glowing() -> Scene:
    return with_things(still(), lambda layer: replace(layer, glow=torch.tensor([0.6, math.pi / 16, 0.0])))


SCENES: Mapping[str, Callable[[], Scene]] = {
    "shift": lambda: moving(0, 30.0),
    "size": lambda: moving(2, 0.5),
    "turn": lambda: moving(3, 0.9),
    "aspect": lambda: moving(5, -0.9),
    "bend": bent,
    "fold": folded,
    "camera": camera,
    "occlusion": hidden,
    "twins": twins,
    "glow": glowing,
    "shadow": lambda: replace(moving(0, 14.0), shadow=torch.tensor([9.0, 7.0, 4.0, 0.7])),
    "light": lambda: seen(light=torch.tensor([0.5, 0.8, 0.3, 0.15, 0.0, 0.2])),
    "tint": lambda: seen(tint=torch.tensor([1.2, 1.0, 0.75])),
    "motion-blur": lambda: replace(moving(0, 60.0), exposure=replace(NOTHING, shutter=1.0)),
    "defocus": lambda: seen(blur=1.5),
    "grain": lambda: seen(noise=0.08),
    "codec": lambda: seen(quantiser=60.0),
}


def row(pictures: list[np.ndarray]) -> np.ndarray:
    """Side by side, with white between."""
    white = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (white, picture)]
    return np.concatenate(parts[1:], 1)


def frames(scene: Scene) -> np.ndarray:
    """Four moments."""
    return row(list(render(scene, TIMES, HEIGHT, width=WIDTH)[0].numpy()))


def texture(kind: Callable[..., Tensor]) -> np.ndarray:
    """Four of a kind."""
    found = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        palette = textures.draw_palette(rng, 5)
        found.append((kind(rng, HEIGHT, palette).clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy())
    return row(found)


def shape(kind: Callable[..., Tensor]) -> np.ndarray:
    """Four of a kind, white on black."""
    planes = [(kind(np.random.default_rng(seed), HEIGHT) * HEIGHT / 2 + 0.5).clamp(0, 1) * 255 for seed in range(4)]
    return row([plane.byte().unsqueeze(-1).expand(-1, -1, 3).numpy() for plane in planes])


def draw(folder: Path) -> None:
    """All of them, as WebP."""
    pictures = {f"scene-{name}": frames(make()) for name, make in SCENES.items()}
    pictures |= {f"texture-{kind.__name__.removesuffix('_texture')}": texture(kind) for kind in textures.KINDS}
    pictures |= {f"shape-{kind.__name__}": shape(kind) for kind in shapes.SHAPES}
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.webp", quality=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    draw(parser.parse_args().folder)
