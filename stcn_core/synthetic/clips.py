"""Synthetic clips: moving layers of random shapes and textures, with exact masks.

A clip is a stack of layers: a background, labelled objects, and distractors, which look like objects, have no label,
and pass in front of objects or behind them. Each layer moves smoothly (camera, affine motion, waves that bend it,
joints that fold it) and casts a shadow. A lens and a codec degrade the picture, and the light changes. Equal arguments
give equal pixels on one device.

Shapes: B clips of T frames of H x W pixels, h x w positions of a stride-16 grid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stcn_core.synthetic.compositing import preview
from stcn_core.synthetic.pictures import Pictures
from stcn_core.synthetic.rendering import Rendered, render, render_batch
from stcn_core.synthetic.scene import MAX_DISTRACTORS, Scene, draw_scene

MIN_VISIBLE = 0.004  # share of the frame that an object covers at least where it first appears
MIN_CONTRAST = 0.12  # least difference between an object's colours and those around it; colours are in [0, 1]
MAX_ATTEMPTS = 20
MOTION_BLUR_PROBABILITY = 0.25  # of a batch: low, since motion blur takes three pictures a frame
CPU = torch.device("cpu")


@dataclass(frozen=True)
class DrawnClip:
    """A synthetic clip.

    `surface` holds the point of a layer's surface that the centre of each stride-16 grid cell shows: (layer, x, y),
    with x and y in pixels of the layer's own unmoved picture. Two cells with equal values show one point.
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
    """Draw one clip.

    seed: names the clip.
    times: numbers of the frames to draw (frames, not seconds).
    height, width: pixels.
    objects: labels are 1 to `objects`.
    late: the first frame of each object that enters later, from the side, by label.
    zoom: enlarges everything, as if the frame were cut out of a larger one.

    A scene that hides an object on its first frame is rejected and drawn again from the next sub-seed. Raises
    ValueError for no times or no objects.
    """
    if not times or objects < 1:
        raise ValueError(f"times={times!r}, objects={objects}; legal: at least one of each")
    scene = draw_unobstructed_scene(seed, times[0], height, width=width, objects=objects, late=late or {}, zoom=zoom)
    frames, labels, surface = (tensor.numpy() for tensor in render(scene, times, height, width=width))
    return DrawnClip(frames, labels, surface)


def draw_unobstructed_scene(
    seed: int, start: int, height: int, *, width: int, objects: int, late: Mapping[int, int], zoom: float
) -> Scene:
    """Draw scenes until one shows every object on frame `start`, or on the frame on which the object enters.

    Returns the last of MAX_ATTEMPTS scenes if all hide an object.
    """
    first_frames = [max(late.get(label, 0), start) for label in range(1, objects + 1)]
    for attempt in range(MAX_ATTEMPTS):
        scene = draw_scene(np.random.default_rng([seed, attempt]), height, width, objects=objects, late=late, zoom=zoom)
        picture, labels = preview([scene], torch.tensor([first_frames]).float(), height, width=width, device=CPU)
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
    """Draw a batch of clips of one size, for training.

    seeds, zooms: one a clip.
    times: frame numbers, (B, T).
    pictures: surfaces and things to use beside the procedural ones.

    The first seed decides two properties of the whole batch, since they set its cost or must be equal in all clips:
    the number of distractors, and whether motion blurs the frames.
    """
    rng = np.random.default_rng(seeds[0])
    distractors, has_motion_blur = int(rng.integers(0, MAX_DISTRACTORS + 1)), rng.random() < MOTION_BLUR_PROBABILITY

    def draw(clip: int, attempt: int) -> Scene:
        return draw_scene(
            np.random.default_rng([seeds[clip], attempt]),
            height,
            width,
            objects=objects,
            late={},
            zoom=zooms[clip],
            pictures=pictures,
            distractors=distractors,
        )

    scenes: dict[int, Scene] = {}  # by clip
    for attempt in range(MAX_ATTEMPTS):
        missing = [clip for clip in range(len(seeds)) if clip not in scenes]
        if not missing:
            break
        candidates = [draw(clip, attempt) for clip in missing]
        colours, labels = preview(candidates, times[missing, :1].float(), height, width=width, device=device)
        for index, clip in enumerate(missing):
            visible = all(is_visible(colours[index, 0], labels[index, 0], label) for label in range(1, objects + 1))
            if visible or attempt == MAX_ATTEMPTS - 1:
                scenes[clip] = candidates[index]
    exposed = [scene if has_motion_blur else scene.without_motion_blur() for _, scene in sorted(scenes.items())]
    return render_batch(exposed, times, height, width=width, device=device)


def is_visible(picture: Tensor, labels: Tensor, label: int) -> bool:
    """Tell whether a person could outline the object: it is large enough and differs from its surroundings.

    picture: (3, H, W) in [0, 1]. labels: (H, W).

    The difference is that of mean and spread of the colours inside and in a band of three pixels around.
    """
    inside = labels == label
    if inside.float().mean() < MIN_VISIBLE:
        return False
    band = (F.max_pool2d(inside[None].float(), 7, 1, 3)[0] > 0) & ~inside
    colours, surroundings = picture[:, inside], picture[:, band]
    if min(colours.shape[1], surroundings.shape[1]) < 2:  # a single pixel, or no surroundings, has no spread
        return False
    mean, spread = colours.mean(1) - surroundings.mean(1), colours.std(1) - surroundings.std(1)
    return (mean.square().sum() + spread.square().sum()).sqrt().item() >= MIN_CONTRAST
