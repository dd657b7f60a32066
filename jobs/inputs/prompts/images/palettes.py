"""The palettes of indexed masks, as a second witness of what their numbers mean.

Image optimisers and drawing programs pack a palette per file: the same object is then another number in each file, and
only its colour stays.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from jobs.errors import PromptError
from jobs.outputs.palette import voc_ids, voc_palette

Colour = tuple[int, int, int]
REMEDY = "Save all masks with one palette, or as RGB in the colours of the VOC / DAVIS palette, which give the ids"


class Palettes:
    """The colours of the ids in the indexed masks of one video."""

    def __init__(self) -> None:
        self._colours: dict[int, tuple[Colour, str]] = {}  # id -> its colour, and the first file with both
        self._ids: dict[Colour, tuple[int, str]] = {}

    def add(self, image: Image.Image, path: Path) -> None:
        """Compare the colours of one mask with those of the masks before. Raises PromptError for a contradiction."""
        if image.mode != "P" or image.palette is None:
            return
        colours = _used_colours(image)
        _compare_with_voc(colours, path.name)
        is_used_once = len(set(colours.values())) == len(colours)
        for object_id, colour in colours.items():
            known, first = self._colours.setdefault(object_id, (colour, path.name))
            if known != colour:
                raise PromptError(
                    f"id {object_id} has the colour {known} in {first}, and {colour} in {path.name}: each file has a "
                    f"palette of its own, and one id may be two objects. {REMEDY}"
                )
            other, first = self._ids.setdefault(colour, (object_id, path.name))
            if other != object_id and is_used_once:
                raise PromptError(
                    f"the colour {colour} is id {other} in {first}, and id {object_id} in {path.name}: each file has a "
                    f"palette of its own, and one object may be two ids. {REMEDY}"
                )


def _used_colours(image: Image.Image) -> dict[int, Colour]:
    """The colour of each id in an indexed image, without the background's and without what the palette lacks."""
    palette = np.array(image.getpalette("RGB") or (), np.uint8).reshape(-1, 3)
    used = [int(i) for i in np.unique(np.asarray(image)) if 0 < i < len(palette)]
    return {i: (int(palette[i][0]), int(palette[i][1]), int(palette[i][2])) for i in used}


def _compare_with_voc(colours: dict[int, Colour], name: str) -> None:
    """Refuse a mask whose colours are all of the VOC palette, and of other ids there. Grey may be chance."""
    if not colours or all(len(set(colour)) == 1 for colour in colours.values()):
        return
    given = np.array(list(colours.values()), np.uint8)
    ids = voc_ids(given)
    if (voc_palette()[ids] != given).any() or ids.tolist() == list(colours):
        return
    number, other = next((number, int(i)) for number, i in zip(colours, ids, strict=True) if number != i)
    raise PromptError(
        f"mask {name} has id {number} in the colour {colours[number]}, which is id {other} of the VOC / DAVIS palette: "
        f"its palette was packed, or its ids are its own. {REMEDY}"
    )
