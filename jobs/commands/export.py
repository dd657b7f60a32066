"""Write masks in the formats of others, and the frames with them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from jobs.errors import UserError
from jobs.exports import coco, davis, sav, yolo, ytvis
from jobs.exports.categories import Categories
from jobs.exports.frames import write_frames
from jobs.exports.journal import Journal
from jobs.exports.lists import Lists
from jobs.exports.shards import Shards
from jobs.exports.source import Source
from jobs.exports.units import Exported, PerVideo, Unit
from jobs.exports.walk import Batch, MasksFile, masks_files
from jobs.io import storage
from jobs.records import VideoRow

FORMATS = ("coco", "ytvis", "davis", "sav", "yolo", "hf")
FRAMES = {"coco": "images", "ytvis": "JPEGImages", "davis": "JPEGImages", "sav": "JPEGImages", "yolo": "images"}
CLASSES = "classes"  # of YOLO, in the journal


def export_output(output: str, dest: Path, format: str, polygons: bool = False, frames: bool = False) -> Exported:
    """Write all masks of an output below a local folder. docs/EXPORT.md says what each format holds.

    What an earlier command exported whole is not done again, and what is no longer in the output is deleted.
    polygons: in COCO, in place of RLE. frames: those that have masks, too, as JPEG.
    """
    _check(dest, format, polygons)
    files, source = masks_files(output), Source(output)
    with Journal(dest, {"format": format, "output": storage.absolute(output)}) as journal:
        exported = Exported()
        if frames:
            source.config  # noqa: B018 an output without one is refused before the work
        exported.masks = _masks(format, polygons, frames, source, journal).run(files, journal, exported)
        if format == "yolo":
            with journal.making(yolo.FILE) as path:
                yolo.write_names(path, _classes(journal))
            exported.targets.add(yolo.FILE)
        if frames and format in FRAMES:
            exported.frames = _frames(format, source).run(files, journal, exported)
        journal.delete_all_but(exported.targets)
    return exported


def _check(dest: Path, format: str, polygons: bool) -> None:
    if format not in FORMATS:
        raise UserError(f"--format {format} is not known; legal: {', '.join(FORMATS)}")
    if polygons and format != "coco":
        raise UserError(f"--polygons is not usable with --format {format}; legal: with coco")
    if ":/" in str(dest):  # of "://" a Path keeps one slash
        raise UserError(f"{dest} is no local folder; export to one, and copy it from there")


def _masks(format: str, polygons: bool, frames: bool, source: Source, journal: Journal) -> Unit:
    """What writes the masks in a format."""
    if format == "coco":
        return Lists(coco.FILE, coco.SECTIONS, partial(coco.write_part, as_polygons=polygons), polygons)
    if format == "ytvis":
        return Lists(ytvis.FILE, ytvis.SECTIONS, ytvis.write_part)
    if format == "davis":  # a tree with its frames; else a folder of results
        return PerVideo("Annotations/{}" if frames else "{}", davis.COLUMNS, davis.write_video)
    if format == "sav":
        return PerVideo("{}_manual.json", sav.COLUMNS, partial(_write_sav, source))
    if format == "yolo":
        return PerVideo("labels/{}", yolo.COLUMNS, partial(_write_yolo, journal))
    return Shards(source if frames else None)


def _frames(format: str, source: Source) -> Unit:
    """What writes the frames; SA-V's reader wants them numbered."""

    def write(file: MasksFile, video_id: str, batches: Iterator[Batch], path: Path) -> tuple[int, None]:
        with source.opened(file, video_id) as frames:
            return write_frames(frames, batches, path, numbered=format == "sav"), None

    return PerVideo(FRAMES[format] + "/{}", ("frame_name",), write)


def _write_sav(
    source: Source, file: MasksFile, video_id: str, batches: Iterator[Batch], path: Path
) -> tuple[int, None]:
    row = source.rows.get(video_id) or VideoRow(video_id, "", "done", "", "")  # it is no longer in the manifest
    return sav.write_video(file, batches, path, row), None


def _write_yolo(
    journal: Journal, file: MasksFile, video_id: str, batches: Iterator[Batch], path: Path
) -> tuple[int, None]:
    """Classes keep the numbers that labels have been written with, whatever comes later."""
    classes = _classes(journal)
    count = yolo.write_video(file, batches, path, classes)
    journal.record(CLASSES, None, {"names": classes.names})
    return count, None


def _classes(journal: Journal) -> Categories:
    return Categories((journal.result(CLASSES, None) or {"names": []})["names"])
