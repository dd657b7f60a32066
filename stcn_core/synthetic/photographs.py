"""Photographs with masks: their objects as cut-outs with a place, and what the objects hide, filled in.

Shapes: H x W pixels of a photograph. Places are in its pixels, from its upper left corner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from stcn_core.synthetic.cut_outs import REACH, CutOut

MIN_AREA = 0.004  # share of the photograph that an object covers at least; smaller ones stay part of the background
MIN_SIDE = 12  # pixels of an object's larger side
MAX_CANVAS = 208  # pixels of a cut-out's side; textures of things have at most 192
FRINGE = 2  # pixels inside an outline that may show what is behind: masks are drawn by hand
HALO = 5  # pixels around a mask that may show its object
DETAIL = 12  # pixels: coarser structure is not copied
# Shares of height and width, from known pixels to filled ones: sideways first, where the ground is alike.
SHIFTS = ((0.0, 0.25), (0.0, -0.25), (0.0, 0.4), (0.0, -0.4), (0.2, 0.5), (-0.2, 0.5), (0.4, 0.3), (-0.4, 0.3))


@dataclass(frozen=True)
class PlacedObject:
    """An object of a photograph."""

    id: int  # in the photograph's label map
    thing: CutOut
    centre: tuple[float, float]  # x and y of its canvas
    side: int  # of its canvas, in the photograph's pixels


@dataclass(frozen=True)
class AnnotatedPhotograph:
    """A photograph, its label map and its objects."""

    picture: Tensor  # uint8, 3, H, W
    ids: Tensor  # uint8, H, W; 0: background
    objects: Sequence[PlacedObject]

    @classmethod
    def from_labels(cls, picture: Tensor, ids: Tensor) -> "AnnotatedPhotograph":
        """Cut out the objects of a photograph.

        picture: uint8 (3, H, W). ids: uint8 (H, W), 0 for the background.

        Objects under MIN_AREA or MIN_SIDE are left out.
        """
        found = (_place(picture, ids, number) for number in ids.unique().tolist() if number)
        return cls(picture, ids, [placed for placed in found if placed])

    @cached_property
    def filled(self) -> Tensor:
        """The photograph without its objects, uint8 (3, H, W): their places continue their surroundings."""
        known = ~self._around([placed.id for placed in self.objects])
        return add_detail(fill(self.picture, known), known) if known.any() else self.picture

    def without(self, objects: Sequence[PlacedObject]) -> Tensor:
        """Return the photograph with some of its objects filled in, uint8 (3, H, W); others stay in the picture."""
        return torch.where(self._around([placed.id for placed in objects]), self.filled, self.picture)

    def _around(self, numbers: Sequence[int]) -> Tensor:
        """Return where objects are, or within HALO pixels of them, (H, W)."""
        return dilate(torch.isin(self.ids, torch.tensor(numbers, dtype=torch.uint8)), HALO)


def _place(picture: Tensor, ids: Tensor, number: int) -> PlacedObject | None:
    """Cut one object out of a photograph, on a square canvas; None if it is too small."""
    mask = ids == number
    rows, columns = (mask.any(axis).nonzero()[:, 0] for axis in (1, 0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    if mask.float().mean() < MIN_AREA or max(bottom - top, right - left) < MIN_SIDE:
        return None
    side = max(bottom - top, right - left) + 2 * REACH
    above, before = (side - (bottom - top)) // 2, (side - (right - left)) // 2
    pads = (before, side - (right - left) - before, above, side - (bottom - top) - above)
    mask = F.pad(mask[top:bottom, left:right], pads)
    inner = ~dilate(~mask, FRINGE)
    colours = fill(F.pad(picture[:, top:bottom, left:right], pads), inner if inner.any() else mask)
    canvas = torch.cat([colours, _feather(mask)[None]])
    if side > MAX_CANVAS:
        resized = F.interpolate(canvas[None].float(), (MAX_CANVAS, MAX_CANVAS), mode="bilinear", antialias=True)
        canvas = resized[0].round().clamp(0, 255).byte()
    centre = (left - before + side / 2, top - above + side / 2)
    return PlacedObject(number, CutOut(canvas[:3].contiguous(), canvas[3].contiguous()), centre, side)


def _feather(mask: Tensor) -> Tensor:
    """Return a mask's alpha, uint8 (S, S), which rises over about a pixel on either side of the outline."""
    plane = mask.float()[None, None]
    return (F.avg_pool2d(plane, 3, 1, 1)[0, 0] * 255).round().byte()


def dilate(mask: Tensor, pixels: int) -> Tensor:
    """Dilate a mask (H, W) by a square of `pixels` on each side. Ten times as fast as pooling."""
    for _ in range(pixels):
        tall = mask.clone()
        tall[1:] |= mask[:-1]
        tall[:-1] |= mask[1:]
        mask = tall.clone()
        mask[:, 1:] |= tall[:, :-1]
        mask[:, :-1] |= tall[:, 1:]
    return mask


def fill(picture: Tensor, known: Tensor) -> Tensor:
    """Fill a picture's unknown pixels from the known ones around them, by a pyramid that is pulled and pushed.

    picture: uint8 (3, H, W). known: (H, W), with at least one true entry.

    Source: Gortler et al., "The Lumigraph", SIGGRAPH 1996, section 3.4.
    """
    weight = known.float()[None, None]
    levels = [(picture.float()[None] * weight, weight)]
    while not (levels[-1][1] > 0).all():
        levels.append(_halve(*levels[-1]))
    colours = levels[-1][0] / levels[-1][1]
    for finer, finer_weight in reversed(levels[:-1]):
        pushed = F.interpolate(colours, finer.shape[-2:], mode="bilinear")
        colours = finer + (1 - finer_weight) * pushed
    return torch.where(known, picture, colours[0].round().clamp(0, 255).byte())


def add_detail(picture: Tensor, known: Tensor) -> Tensor:
    """Add fine detail to a picture's filled pixels, whose smoothness would tell where an object was.

    The detail is that of known pixels beside them, by the first of SHIFTS that leads to one.
    """
    colours = picture.float()
    coarse = F.avg_pool2d(colours[None], DETAIL, DETAIL, ceil_mode=True, count_include_pad=False)
    detail = colours - F.interpolate(coarse, picture.shape[1:], mode="bilinear")[0]
    height, width = known.shape
    missing = ~known
    for share_y, share_x in SHIFTS:
        shift = (round(share_y * height), round(share_x * width))
        found = missing & known.roll(shift, (0, 1))
        colours = torch.where(found, colours + detail.roll(shift, (1, 2)), colours)
        missing = missing & ~found
    return colours.round().clamp(0, 255).byte()


def _halve(colours: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Halve a level of weighted colours (1, 3, h, w) and weights (1, 1, h, w). Weights saturate at 1."""
    summed, total = (F.avg_pool2d(plane, 2, 2, ceil_mode=True) * 4 for plane in (colours, weight))
    saturated = total.clamp(max=1)
    return summed * (saturated / total.clamp(min=1e-6)), saturated
