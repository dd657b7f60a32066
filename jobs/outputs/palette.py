"""The colours of objects: those of PASCAL VOC, which DAVIS uses too."""

import numpy as np


def voc_palette() -> np.ndarray:
    """RGB, uint8 (256, 3): an id's bits are spread over the high bits of the three channels."""
    ids = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((ids >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette
