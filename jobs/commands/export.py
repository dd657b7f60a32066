"""Write masks in the formats of others, and the frames with them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from jobs.errors import UserError
from jobs.exports import coco, davis, sav, yolo, ytvis
from jobs.exports.export_units import ExportSummary, ExportUnit, PerVideoUnit
from jobs.exports.frames import OutputVideos, write_frames
from jobs.exports.hf import HfUnit
from jobs.exports.joined_json import JoinedJsonUnit
from jobs.exports.journal import Journal
from jobs.exports.mask_batches import MaskBatch, MasksFile, masks_files
from jobs.exports.numbering import Categories
from jobs.io import storage
from jobs.records import VideoRow

FORMATS = ("coco", "ytvis", "davis", "sav", "yolo", "hf")
FRAMES = {"coco": "images", "ytvis": "JPEGImages", "davis": "JPEGImages", "sav": "JPEGImages", "yolo": "images"}
CLASSES = "classes"  # of YOLO, in the journal


def export_output(
    output: str, dest: Path, format: str, *, polygons: bool = False, frames: bool = False
) -> ExportSummary:
    """Write all masks of an output below a local folder. docs/EXPORT.md says what each format holds.

    What an earlier command exported whole is not done again, and what is no longer in the output is deleted.
    polygons: in COCO, in place of RLE. frames: those that have masks, too, as JPEG.
    """
    _check(dest, format, polygons)
    files, source = masks_files(output), OutputVideos(output)
    with Journal(dest, {"format": format, "output": storage.absolute(output)}) as journal:
        exported = ExportSummary()
        if frames:
            source.config  # noqa: B018 an output without one is refused before the work
        exported.masks = _masks(format, polygons, frames, source=source, journal=journal).run(files, journal, exported)
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


def _masks(format: str, polygons: bool, frames: bool, *, source: OutputVideos, journal: Journal) -> ExportUnit:
    """What writes the masks in a format."""
    if format == "coco":
        return JoinedJsonUnit(
            name=coco.FILE,
            sections=coco.SECTIONS,
            write_part=partial(coco.write_part, as_polygons=polygons),
            options=polygons,
        )
    if format == "ytvis":
        return JoinedJsonUnit(name=ytvis.FILE, sections=ytvis.SECTIONS, write_part=ytvis.write_part)
    if format == "davis":  # a tree with its frames; else a folder of results
        return PerVideoUnit("Annotations/{}" if frames else "{}", davis.COLUMNS, davis.write_video)
    if format == "sav":
        return PerVideoUnit("{}_manual.json", sav.COLUMNS, partial(_write_sav, source))
    if format == "yolo":
        return PerVideoUnit("labels/{}", yolo.COLUMNS, partial(_write_yolo, journal))
    return HfUnit(source if frames else None)


def _frames(format: str, source: OutputVideos) -> ExportUnit:
    """What writes the frames; SA-V's reader wants them numbered."""

    def write(file: MasksFile, video_id: str, batches: Iterator[MaskBatch], path: Path) -> tuple[int, None]:
        with source.opened(file, video_id) as frames:
            return write_frames(frames, batches, path, numbered=format == "sav"), None

    return PerVideoUnit(FRAMES[format] + "/{}", ("frame_name",), write)


def _write_sav(
    source: OutputVideos, file: MasksFile, video_id: str, batches: Iterator[MaskBatch], path: Path
) -> tuple[int, None]:
    row = source.rows.get(video_id) or VideoRow(
        video_id=video_id, work_id="", status="done", video="", prompts=""
    )  # it is no longer in the manifest
    return sav.write_video(file, batches, path, row), None


def _write_yolo(
    journal: Journal, file: MasksFile, video_id: str, batches: Iterator[MaskBatch], path: Path
) -> tuple[int, None]:
    """Classes keep the numbers that labels have been written with, whatever comes later."""
    classes = _classes(journal)
    count = yolo.write_video(file, batches, path, classes)
    journal.record(CLASSES, None, {"names": classes.names})
    return count, None


def _classes(journal: Journal) -> Categories:
    return Categories((journal.result(CLASSES, None) or {"names": []})["names"])
