"""YOLO's segmentation labels: a text file for each frame, a line for each object with its class and one polygon."""

from functools import partial
from pathlib import Path

from jobs.exports.export_format import ExportContext, ExportFormat, LastFile
from jobs.exports.journal import Journal
from jobs.exports.numbering import Categories
from jobs.exports.polygons import join_polygons, row_polygons
from jobs.exports.resumable_units import PerVideoUnit, VideoExport, Written
from jobs.outputs.store import MaskRow
from jobs.outputs.stored_masks import VideoMasks

CLASSES = "classes"  # in the journal
COLUMNS = ("frame_name", "object_name", "counts")


def _unit(context: ExportContext) -> PerVideoUnit:
    return PerVideoUnit(place="labels/{}", columns=COLUMNS, write=partial(_write_video, journal=context.journal))


def _write_video(video: VideoExport, *, journal: Journal) -> Written:
    """Write one video. Classes keep the numbers that earlier labels were written with, whatever is added later."""
    classes = _classes(journal)
    count = write_labels(video, classes)
    journal.record(CLASSES, None, {"names": classes.names})
    return Written(count)


def _classes(journal: Journal) -> Categories:
    return Categories((journal.result(CLASSES, None) or {"names": []})["names"])


def write_labels(video: VideoExport, classes: Categories) -> int:
    """Write a text file for each frame, empty if no object is visible; returns the number of masks.

    Adds new classes to `classes`.
    """
    video.path.mkdir(parents=True)
    count = 0
    for batch in video.batches:
        masks, lines = video.file.decoded(batch), [""] * batch.starts.size
        for frame, row in zip(batch.frame_of_row.tolist(), masks.rows, strict=True):
            lines[frame] += _line(masks, row, classes)
        for name, content in zip(batch.names(), lines, strict=True):
            (video.path / f"{name}.txt").write_text(content)
        count += len(masks.rows)
    return count


def _line(masks: VideoMasks, row: MaskRow, classes: Categories) -> str:
    polygons = row_polygons(masks, row)
    if not polygons:
        return ""
    points = join_polygons(polygons) / (row["width"], row["height"])
    name = row["object_name"]
    return f"{classes.number(name)} {' '.join(f'{value:.6g}' for value in points.ravel().tolist())}\n"


def _write_names(path: Path, context: ExportContext) -> None:
    """Write data.yaml: where the images lie, and the names of the classes.

    It has no key `path`: ultralytics resolves a relative one against the working folder, and defaults to the folder of
    the file itself.
    """
    names = "".join(f"  {number}: {_quoted(name)}\n" for number, name in enumerate(_classes(context.journal).names))
    path.write_text(f"train: images\nval: images\nnames:\n{names}")


def _quoted(text: str) -> str:
    """A text in YAML's double quotes, with escapes for characters that cannot be printed."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text) + '"'


FORMAT = ExportFormat(
    name="yolo",
    description="YOLO segmentation, polygons in a text file for each frame",
    masks=_unit,
    frames_folder="images",
    last_file=LastFile(name="data.yaml", write=_write_names),
)
