"""Draw the pictures of CLIPS.md: one for each texture, shape and effect of synthetic clips.

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
NO_EXPOSURE = Exposure(
    light=torch.zeros(6), tint=torch.ones(3), shutter=0.0, blur=0.0, noise=0.0, quantiser=0.0, seed=0
)


def still_scene(seed: int = SEED, objects: int = 2) -> Scene:
    """Draw a scene without motion, shadow, light and lens."""
    scene = draw_unobstructed_scene(seed, 0, HEIGHT, width=WIDTH, objects=objects, late={}, zoom=1.0)
    return replace(scene, layers=[stop(layer) for layer in scene.layers], shadow=torch.zeros(4), exposure=NO_EXPOSURE)


def stop(layer: Layer) -> Layer:
    """Return the layer without motion."""
    path = layer.path
    zeros = {name: torch.zeros_like(getattr(path, name)) for name in ("amplitude", "bends", "hinges")}
    return replace(layer, path=replace(path, **zeros), glow=torch.zeros(3))


def change_things(scene: Scene, change: Callable[[Layer], Layer]) -> Scene:
    """Change all layers but the background."""
    return replace(scene, layers=[layer if layer.distance is None else change(layer) for layer in scene.layers])


def swing(layer: Layer, column: int, amount: float) -> Layer:
    """Let one number of the pose oscillate. column: of the pose. amount: amplitude."""
    path = layer.path
    amplitude, frequency = torch.zeros(1, 6), torch.full((1, 6), math.pi / 24)
    amplitude[0, column] = amount
    return replace(layer, path=replace(path, amplitude=amplitude, frequency=frequency, phase=torch.zeros(1, 6)))


def moving_scene(column: int, amount: float) -> Scene:
    """Let one number of all things' poses oscillate."""
    return change_things(still_scene(), lambda layer: swing(layer, column, amount))


def exposed_scene(**exposure: object) -> Scene:
    """Show moving things with the given fields of `Exposure`."""
    scene = moving_scene(0, 14.0)
    return replace(scene, exposure=replace(NO_EXPOSURE, **exposure))  # type: ignore[arg-type]


def twins() -> Scene:
    """Give the second object the look of the first."""
    scene = still_scene()
    first, second = (layer for layer in scene.layers if layer.label)
    twin = replace(second, texture=first.texture, distance=first.distance, half_size=first.half_size)
    layers = [twin if layer.label == second.label else layer for layer in scene.layers]
    return change_things(replace(scene, layers=layers), lambda layer: swing(layer, 0, 12.0))


def camera() -> Scene:
    """Move all layers together."""
    scene = still_scene()
    return replace(scene, layers=[swing(layer, 0, 40.0) for layer in scene.layers])


def occlusion() -> Scene:
    """Let the first object pass behind the second."""
    scene = still_scene()
    front = scene.layers[-1]
    middle = front.path.start[:2]
    behind = [swing(replace(layer, path=replace(layer.path, start=torch.cat([middle - torch.tensor([60.0, 0]),
              layer.path.start[2:]]))), 0, 110.0) if layer.label and layer is not front else layer
              for layer in scene.layers]  # fmt: skip
    return replace(scene, layers=behind)


def bent() -> Scene:
    """Bend things by a wave."""
    wave = torch.tensor([[0.1, 0.1, 2.0, 3.0, 0.2, 0.0], [0.0] * 6])
    return change_things(still_scene(), lambda layer: replace(layer, path=replace(layer.path, bends=wave)))


def folded() -> Scene:
    """Fold things at two joints."""
    hinge = torch.tensor([[0.1, 0.1, 0.8, 0.9, math.pi / 24, 0.0], [-0.1, -0.1, 3.6, 0.9, math.pi / 16, 1.0]])
    return change_things(still_scene(), lambda layer: replace(layer, path=replace(layer.path, hinges=hinge)))


def glowing() -> Scene:
    """Brighten and darken things."""
    return change_things(still_scene(), lambda layer: replace(layer, glow=torch.tensor([0.6, math.pi / 16, 0.0])))


SCENES: Mapping[str, Callable[[], Scene]] = {
    "shift": lambda: moving_scene(0, 30.0),
    "size": lambda: moving_scene(2, 0.5),
    "turn": lambda: moving_scene(3, 0.9),
    "aspect": lambda: moving_scene(5, -0.9),
    "bend": bent,
    "fold": folded,
    "camera": camera,
    "occlusion": occlusion,
    "twins": twins,
    "glow": glowing,
    "shadow": lambda: replace(moving_scene(0, 14.0), shadow=torch.tensor([9.0, 7.0, 4.0, 0.7])),
    "light": lambda: exposed_scene(light=torch.tensor([0.5, 0.8, 0.3, 0.15, 0.0, 0.2])),
    "tint": lambda: exposed_scene(tint=torch.tensor([1.2, 1.0, 0.75])),
    "motion-blur": lambda: replace(moving_scene(0, 60.0), exposure=replace(NO_EXPOSURE, shutter=1.0)),
    "defocus": lambda: exposed_scene(blur=1.5),
    "grain": lambda: exposed_scene(noise=0.08),
    "codec": lambda: exposed_scene(quantiser=60.0),
}


def row(pictures: list[np.ndarray]) -> np.ndarray:
    """Put pictures side by side, with white gaps."""
    white = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (white, picture)]
    return np.concatenate(parts[1:], 1)


def frames(scene: Scene) -> np.ndarray:
    """Render four frames of a scene, side by side."""
    return row(list(render(scene, TIMES, HEIGHT, width=WIDTH)[0].numpy()))


def texture(kind: Callable[..., Tensor]) -> np.ndarray:
    """Draw four textures of a kind."""
    pictures = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        palette = textures.draw_palette(rng, 5)
        pictures.append((kind(rng, HEIGHT, palette).clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy())
    return row(pictures)


def shape(kind: Callable[..., Tensor]) -> np.ndarray:
    """Draw four shapes of a kind, white on black."""
    planes = [(kind(np.random.default_rng(seed), HEIGHT) * HEIGHT / 2 + 0.5).clamp(0, 1) * 255 for seed in range(4)]
    return row([plane.byte().unsqueeze(-1).expand(-1, -1, 3).numpy() for plane in planes])


def draw(folder: Path) -> None:
    """Write all pictures as WebP."""
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
