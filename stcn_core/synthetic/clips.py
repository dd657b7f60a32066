"""Clips that a program draws: moving layers of random shapes and textures whose masks are known.

A clip is a stack of layers: a background, labelled objects, and unlabelled things that look like objects
and pass in front of them or behind. Each moves smoothly (camera, affine, waves that bend it, joints that fold it),
casts a shadow, and is seen through a lens and a codec, under light that changes. The same arguments give the same
pixels on the same device.

Shapes: B clips of T frames of H x W pixels, h x w positions of a stride-16 grid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stcn_core.synthetic.pictures import Pictures
from stcn_core.synthetic.rendering import Rendered, glimpse, render, render_side_by_side
from stcn_core.synthetic.scene import MOST_OTHERS, Scene, draw_scene

MIN_VISIBLE = 0.004  # of the frame: an object shows at least this much where it first appears
MIN_CONTRAST = 0.12  # of 1: and its colours differ at least so much from those around it
MAX_ATTEMPTS = 20
MOTION_BLUR = 0.25  # of the batches may have it, since it takes three pictures a frame
CPU = torch.device("cpu")


@dataclass(frozen=True)
class DrawnClip:
    """A drawn clip.

    `surface` says which point of which surface each stride-16 grid cell's centre shows: (layer, x, y), with
    x and y in pixels of the layer's own unmoved picture. Two cells with the same values show the same point.
    """

    frames: NDArray[np.uint8]  # T, H, W, 3
    labels: NDArray[np.uint8]  # T, H, W
    surface: NDArray[np.float32]  # T, h, w, 3


def draw_clip(
    seed: int,
    times: Sequence[int],
    height: int,
    *,
    width: int,
    objects: int = 2,
    late: Mapping[int, int] | None = None,
    zoom: float = 1.0,
) -> DrawnClip:
    """Draws the frames at `times` (frame numbers, not seconds) of the clip that `seed` names.

    Labels are 1 to `objects`. `late` maps a label to the frame on which it first appears, entering from the
    side. `zoom` enlarges everything, as if the frame were cut out of a larger one. A scene in which an
    object is hidden where it should appear first is thrown away and drawn anew from the next sub-seed.
    """
    if not times or objects < 1:
        raise ValueError(f"times={times!r}, objects={objects}; legal: at least one of each")
    scene = draw_visible_scene(seed, times[0], height, width=width, objects=objects, late=late or {}, zoom=zoom)
    frames, labels, surface = (tensor.numpy() for tensor in render(scene, times, height, width=width))
    return DrawnClip(frames, labels, surface)


def draw_visible_scene(
    seed: int, start: int, height: int, *, width: int, objects: int, late: Mapping[int, int], zoom: float
) -> Scene:
    """The first scene of the seed's that shows every object on frame `start`, or on the one it enters on."""
    firsts = [max(late.get(label, 0), start) for label in range(1, objects + 1)]
    for attempt in range(MAX_ATTEMPTS):
        scene = draw_scene(np.random.default_rng([seed, attempt]), height, width, objects=objects, late=late, zoom=zoom)
        picture, labels = glimpse([scene], torch.tensor([firsts]).float(), height, width=width, device=CPU)
        if all(is_visible(picture[0, k], labels[0, k], k + 1) for k in range(objects)):
            break
    return scene


def draw_clips(
    seeds: Sequence[int],
    times: Tensor,
    height: int,
    *,
    width: int,
    objects: int,
    zooms: Sequence[float],
    pictures: Pictures | None = None,
    device: torch.device = CPU,
) -> Rendered:
    """Clips of one size and as many layers, for training: as `draw_clip`, of frames at times (B, T).

    The first seed decides what costs time, or must be the same for all: how many unlabelled things there are, and
    whether frames are blurred by motion.
    """
    rng = np.random.default_rng(seeds[0])
    others, moving = int(rng.integers(0, MOST_OTHERS + 1)), bool(rng.random() < MOTION_BLUR)
    scenes: list[Scene | None] = [None] * len(seeds)
    for attempt in range(MAX_ATTEMPTS):
        missing = [clip for clip, scene in enumerate(scenes) if scene is None]
        if not missing:
            break
        drawn = [
            draw_scene(
                np.random.default_rng([seeds[clip], attempt]),
                height,
                width,
                objects=objects,
                late={},
                zoom=zooms[clip],
                pictures=pictures,
                others=others,
            )
            for clip in missing
        ]
        pictured, labels = glimpse(drawn, times[missing, :1].float(), height, width=width, device=device)
        for index, clip in enumerate(missing):
            seen = all(is_visible(pictured[index, 0], labels[index, 0], label) for label in range(1, objects + 1))
            if seen or attempt == MAX_ATTEMPTS - 1:
                scenes[clip] = drawn[index]
    shown = [scene if moving else scene.without_motion_blur() for scene in scenes if scene is not None]
    return render_side_by_side(shown, times, height, width=width, device=device)


def is_visible(picture: Tensor, labels: Tensor, label: int) -> bool:
    """Whether a person could outline the object: it is large enough, and its surroundings look different.

    picture (3, H, W), labels (H, W). Compared are mean and spread of the colours inside and in a band of
    three pixels around.
    """
    inside = labels == label
    if inside.float().mean() < MIN_VISIBLE:
        return False
    band = (F.max_pool2d(inside[None].float(), 7, 1, 3)[0] > 0) & ~inside
    one, other = picture[:, inside], picture[:, band]
    if min(one.shape[1], other.shape[1]) < 2:  # a point, or no surroundings: there is no spread
        return False
    mean, spread = one.mean(1) - other.mean(1), one.std(1) - other.std(1)
    return (mean.square().sum() + spread.square().sum()).sqrt().item() >= MIN_CONTRAST
