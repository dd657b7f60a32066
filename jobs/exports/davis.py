"""Label maps as indexed PNGs, in the layout of DAVIS and YouTube-VOS: a folder for each video."""

from jobs.exports.export_format import ExportContext, ExportFormat
from jobs.exports.resumable_units import PerVideoUnit, VideoExport, Written
from jobs.outputs.file_names import own_name
from jobs.outputs.label_maps import label_maps, to_image

COLUMNS = ("frame_name", "counts")
MAX_INDEXED = 255


def _unit(context: ExportContext) -> PerVideoUnit:
    """A tree with Annotations/ if the frames are exported, too; otherwise a folder of results."""
    place = "Annotations/{}" if context.with_frames else "{}"
    return PerVideoUnit(place=place, columns=COLUMNS, write=write_video)


def write_video(video: VideoExport) -> Written:
    """Write a PNG for each frame. Warns of ids that do not fit an indexed PNG."""
    video.path.mkdir(parents=True)
    masks, highest = 0, 0
    for batch in video.batches:
        for _, name, labels in label_maps(video.file.decoded(batch)):
            to_image(labels).save(video.path / f"{own_name(name)}.png")
            highest = max(highest, int(labels.max()))
        masks += len(batch.masks)
    if highest <= MAX_INDEXED:
        return Written(masks)
    warning = f"ids up to {highest}: PNGs with an id over {MAX_INDEXED} are 16-bit grey, which not every reader accepts"
    return Written(masks, warning)


FORMAT = ExportFormat(
    name="davis",
    description="DAVIS and YouTube-VOS, indexed PNGs",
    masks=_unit,
    frames_folder="JPEGImages",
)
