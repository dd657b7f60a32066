"""Frames in luma and chroma as images in RGB, converted and scaled on the device where they lie.

Shapes: B frames, H x W pixels as coded, h x w of the chroma planes, H' x W' pixels of the result.
"""

import torch
from torch import Tensor

from stcn_core import masks
from stcn_core.yuv import YuvFrame

PIXELS_AT_ONCE = 1 << 25  # as coded, whose luma takes 128 MB in float32: 81 frames of 480p, 16 of 1080p, 4 of 4K


def yuv_to_images(packed: Tensor, like: YuvFrame, size: tuple[int, int]) -> Tensor:
    """Upright images (B, 3, *size) in [0, 1], of planes uint8 (B, H*W + 2*h*w).

    like: any of the frames, which have one layout. size: (height, width) of the upright images; where that is more than
    the frames have, they are enlarged as images in RGB are.
    """
    step = max(1, PIXELS_AT_ONCE // (like.height * like.width))
    parts = [_converted(some, like, size) for some in packed.split(step)]
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def _converted(packed: Tensor, like: YuvFrame, size: tuple[int, int]) -> Tensor:
    coded, wanted = (like.height, like.width), size[::-1] if like.is_transposed else size
    shrunk = wanted if all(new <= old for new, old in zip(wanted, coded, strict=True)) else coded
    luma, chroma = _planes(packed, like, shrunk)
    return masks.resize_images(_upright(_rgb(luma, chroma, like), like), size)


def _planes(packed: Tensor, like: YuvFrame, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Luma (B, 1, *size) and chroma (B, 2, *size), of `size` no larger than the frames.

    As FFmpeg does: at the frames' own size, four pixels share a value of chroma; otherwise both are scaled to the new
    size, each from its own.
    """
    height, width = like.height, like.width
    luma = packed[:, : height * width].unflatten(1, (1, height, width)).float()  # B, 1, H, W
    chroma = packed[:, height * width :].unflatten(1, (2, -(-height // 2), -(-width // 2))).float()  # B, 2, h, w
    if size != (height, width):
        return masks.resize(luma, size), masks.resize(chroma, size)
    doubled = chroma.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
    return luma, doubled[..., :height, :width]


def _rgb(luma: Tensor, chroma: Tensor, like: YuvFrame) -> Tensor:
    """(B, 3, H, W) in [0, 1]."""
    weights = like.colours.weights
    light = (luma - weights.black) * weights.luma
    u, v = (chroma - 128).split(1, dim=1)
    images = light.new_empty((len(light), 3, *light.shape[-2:]))
    torch.add(light, v, alpha=weights.red_v, out=images[:, :1])
    torch.add(light.add(u, alpha=weights.green_u), v, alpha=weights.green_v, out=images[:, 1:2])
    torch.add(light, u, alpha=weights.blue_u, out=images[:, 2:])
    return images.clamp_(0, 1)


def _upright(images: Tensor, like: YuvFrame) -> Tensor:
    turned = images.mT if like.is_transposed else images
    sides = [-1] * like.is_mirrored_horizontally + [-2] * like.is_mirrored_vertically
    return turned.flip(sides) if sides else turned.contiguous()
