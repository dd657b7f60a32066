"""Write the masks of an output in another tool's format, and the frames with them."""

from collections.abc import Collection
from pathlib import Path

from jobs.exports.export_format import ExportContext
from jobs.exports.formats import find_format
from jobs.exports.frames import OutputVideos, frames_unit
from jobs.exports.journal import Journal
from jobs.exports.mask_batches import masks_files
from jobs.exports.resumable_units import ExportSummary
from jobs.io import storage
from jobs.outputs.destination import check_destination


def export_output(
    output: str,
    dest: Path,
    format: str,
    *,
    polygons: bool = False,
    frames: bool = False,
    only: Collection[str] | None = None,
) -> ExportSummary:
    """Write the masks of an output below a local folder. docs/EXPORT.md says what each format holds.

    Files that an earlier export completed are not written again. Files of videos that left the output are deleted.
    polygons: in place of RLE, in formats that take the option. frames: also write the frames with masks, as JPEG.
    only: ids of the videos to write; None, or none: all, of all manifests. Raises UserError.
    """
    options = frozenset({"polygons"} if polygons else ())
    chosen = find_format(format, options)
    check_destination(dest, output)
    files, videos, summary = masks_files(output, only), OutputVideos(output), ExportSummary()
    settings = {"format": format, "output": storage.absolute(output)} | ({"only": sorted(set(only))} if only else {})
    with Journal(dest, settings) as journal:
        context = ExportContext(videos=videos, journal=journal, options=options, with_frames=frames)
        if frames:
            videos.configs  # noqa: B018 an output without a run's options is refused before the work
        summary.masks = chosen.masks(context).run(files, journal, summary)
        if last := chosen.last_file:
            with journal.writing(last.name) as path:
                last.write(path, context)
            summary.targets.add(last.name)
        if frames and chosen.frames_folder is not None:
            unit = frames_unit(chosen.frames_folder, videos, is_numbered=chosen.has_numbered_frames)
            summary.frames = unit.run(files, journal, summary)
        journal.delete_all_but(summary.targets)
    return summary
