"""YOLO's segmentation labels: a text file for each frame, a line for each object with its class and one polygon."""

from collections.abc import Iterator
from pathlib import Path

from jobs.exports.mask_batches import MaskBatch, MasksFile
from jobs.exports.numbering import Categories
from jobs.exports.polygons import chained, parts_of_row
from jobs.outputs.store import MaskRow
from jobs.outputs.stored_masks import VideoMasks

FILE = "data.yaml"
COLUMNS = ("frame_name", "object_name", "counts")


def write_video(file: MasksFile, batches: Iterator[MaskBatch], folder: Path, categories: Categories) -> int:
    """Write the labels of one video; returns how many masks they were made of. An empty file: no object is visible."""
    folder.mkdir(parents=True)
    count = 0
    for batch in batches:
        masks, lines = file.decoded(batch), [""] * batch.starts.size
        for frame, row in zip(batch.frame_of_row.tolist(), masks.rows, strict=True):
            lines[frame] += _line(masks, row, categories)
        for name, content in zip(batch.names(), lines, strict=True):
            (folder / f"{name}.txt").write_text(content)
        count += len(masks.rows)
    return count


def _line(masks: VideoMasks, row: MaskRow, categories: Categories) -> str:
    polygons = parts_of_row(masks, row)
    if not polygons:
        return ""
    points = chained(polygons) / (row["width"], row["height"])
    name = row["object_name"]
    return f"{categories.number(name)} {' '.join(f'{value:.6g}' for value in points.ravel().tolist())}\n"


def write_names(path: Path, categories: Categories) -> None:
    """Write data.yaml: where the images lie, and the names of the classes.

    Without `path`: ultralytics takes a relative one from the working folder, and none from the file's own.
    """
    names = "".join(f"  {number}: {_quoted(name)}\n" for number, name in enumerate(categories.names))
    path.write_text(f"train: images\nval: images\nnames:\n{names}")


def _quoted(text: str) -> str:
    """A text in YAML's double quotes; what cannot be printed is escaped."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text) + '"'
