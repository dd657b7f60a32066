"""A toy format in one file: a CSV for each video, with a line for each mask."""

from jobs.exports.export_format import ExportContext, ExportFormat
from jobs.exports.resumable_units import PerVideoUnit, VideoExport, Written

COLUMNS = ("object_name", "counts")


def _unit(context: ExportContext) -> PerVideoUnit:
    return PerVideoUnit(place="csv/{}.csv", columns=COLUMNS, write=_write_video)


def _write_video(video: VideoExport) -> Written:
    lines = []
    for batch in video.batches:
        ids, frames = batch.numbers("object_id").tolist(), batch.numbers("frame_index").tolist()
        lines += [f"{f},{i},{area}" for f, i, area in zip(frames, ids, video.file.areas(batch).tolist(), strict=True)]
    video.path.write_text("frame,object,area\n" + "\n".join(lines) + "\n")
    return Written(len(lines), "it has 5 masks" if len(lines) == 5 else None)


FORMAT = ExportFormat(
    name="toy", description="a CSV for each video", masks=_unit, frames_folder="frames", has_numbered_frames=True
)
