"""Colours of objects: the palette of PASCAL VOC and DAVIS."""

import numpy as np

from stcn_core.metrics import boundary

OPACITY = 0.5  # of a mask over its image


def voc_palette() -> np.ndarray:
    """The palette, uint8 RGB (256, 3): an id's bits are spread over the high bits of the three channels."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((ids >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


def voc_ids(rgb: np.ndarray) -> np.ndarray:
    """Invert `voc_palette`: uint8 (..., 3) -> ids, uint8 (...). Colours outside the palette get an arbitrary id."""
    ids = np.zeros(rgb.shape[:-1], np.uint8)
    for number in range(8):
        bit, channel = divmod(number, 3)
        ids |= ((rgb[..., channel] >> (7 - bit)) & 1) << number
    return ids


def blend(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Tint an RGB image (H, W, 3) with the colour of each pixel's object, and draw outlines in white."""
    colours = voc_palette()[labels % 256]
    tinted = (image * (1 - OPACITY) + colours * OPACITY).astype(np.uint8)
    out = np.where(labels[..., None] > 0, tinted, image)
    for object_id in np.unique(labels[labels > 0]):
        out[boundary(labels == object_id)] = 255
    return out
