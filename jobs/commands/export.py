"""Write masks in the formats of others."""

import hashlib
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from jobs.errors import UserError
from jobs.outputs.palette import voc_palette
from jobs.outputs.stored_masks import VideoMasks, masks_by_video

FORMATS = ("davis",)
MAX_ID = 2**16 - 1  # of a 16-bit PNG
MAX_NAME = 200  # characters of a name; file systems allow 255 bytes, and endings come after it
MAX_OWN_NAME = 255 - len(".png")  # bytes of a name that some file can have had
DIGEST_BYTES = 10  # a chance of 10^-12 that any two of a million ids with capitals share a name
CAPITALS = re.compile("[A-Z]")
SEPARATORS = re.compile(r"[/\\\0]")
RESERVED = ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))  # on Windows


def export_output(output: str, dest: Path, format: str) -> int:
    """Write all masks of an output; returns how many.

    davis: `dest`/<video id>/<frame>.png, indexed, with DAVIS's palette; 16-bit grey where an id is over
    255. A frame is named as its image was, or numbered. Frames before the first prompt have no file.
    """
    if format not in FORMATS:
        raise UserError(f"--format {format} is not known; legal: {', '.join(FORMATS)}")
    count = 0
    for masks in masks_by_video(output):
        folder = dest / file_name(masks.video_id)
        folder.mkdir(parents=True, exist_ok=True)
        for _, name, labels in label_maps(masks):
            to_image(labels).save(folder / f"{own_name(name)}.png")
        count += len(masks.rows)
    return count


def label_maps(masks: VideoMasks) -> Iterator[tuple[int, str, np.ndarray]]:
    """The frames of one video: index, name, and label map (H, W). Raises UserError for a mask that is damaged."""
    for index, group in groupby(masks.rows, key=lambda row: row["frame_index"]):
        first, *others = group
        labels = masks.decode(first) * np.int32(first["object_id"])
        for row in others:
            labels[masks.decode(row)] = row["object_id"]
        yield index, first["frame_name"] or f"{index:05d}", labels


def file_name(video_id: str) -> str:
    """A name for a video's file or folder: of ASCII, up to 200 characters, and another for every id.

    Ids of small letters, digits, "-", "_", "." and inner spaces are their own names. Other characters are escaped as
    in URLs, so that no id leaves its folder. An id with capitals gets a digest at its end, as a file system that
    ignores case would not keep it apart from others; so does an id that is too long, after its beginning.
    """
    name = quote(video_id, safe=" ", errors="surrogatepass").replace("~", "%7E")  # "~" stands before digests only
    if name.startswith(".") or name.partition(".")[0].strip().lower() in RESERVED:
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if name.endswith((".", " ")):  # Windows would drop them
        name = f"{name[:-1]}%{ord(name[-1]):02X}"
    if name and len(name) <= MAX_NAME and not CAPITALS.search(video_id):
        return name
    digest = hashlib.blake2b(video_id.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()
    return f"{name[: MAX_NAME - len(digest) - 1]}~{digest}"


def own_name(name: str) -> str:
    """The name of an image or a folder as benchmarks want it, its own; escaped where no file can have had it."""
    is_own = 0 < len(name.encode(errors="surrogatepass")) <= MAX_OWN_NAME
    return name if is_own and not name.startswith(".") and not SEPARATORS.search(name) else file_name(name)


def to_image(labels: np.ndarray) -> Image.Image:
    """A label map as an indexed image; 16-bit grey where an id is over 255. Raises UserError over 65,535."""
    if labels.max(initial=0) > MAX_ID:
        raise UserError(f"object id {labels.max()} does not fit a PNG; legal: up to {MAX_ID}")
    if labels.max(initial=0) > 255:
        return Image.fromarray(labels.astype(np.uint16))
    image = Image.fromarray(labels.astype(np.uint8))  # grey
    image.putpalette(voc_palette().tobytes())  # now indexed
    return image
