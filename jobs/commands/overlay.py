"""`stcn overlay`: draw masks over their videos."""

from collections.abc import Collection, Iterator
from pathlib import Path

from jobs.dataset.source_video import SourceVideo, open_source_video
from jobs.errors import UserError, VideoError
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs.destination import check_destination
from jobs.outputs.file_names import file_name
from jobs.outputs.label_maps import label_maps
from jobs.outputs.palette import blend
from jobs.outputs.stored_masks import VideoMasks
from jobs.outputs.video_writer import VideoWriter
from jobs.planning.config import SegmentConfig
from jobs.planning.run_record import RunConfigs, done_rows
from jobs.records import VideoRow


def overlay_output(output: str, dest: Path, only: Collection[str] = ()) -> Iterator[tuple[str, Path | Exception]]:
    """Write an MP4 for every video that is done. Yields each video's id, with the path of its MP4 or the error.

    output: a folder or URL. dest: a local folder. only: ids of the videos to draw; empty: all, of all manifests.
    Videos are opened under the allowlist and the limits of the run that segmented them. Raises UserError if there was
    no run, and for ids that it has no masks of.
    """
    check_destination(dest, output)
    configs = RunConfigs(output)
    rows = done_rows(output, only)
    for masks in masks_by_video(output):
        if (video_id := masks.video_id) in rows:
            path = dest / f"{file_name(video_id)}.mp4"
            try:
                write_overlay(rows[video_id], masks, path, config=configs.of(rows[video_id]))
                yield video_id, path
            except (VideoError, UserError, OSError) as error:
                path.unlink(missing_ok=True)
                yield video_id, error


def write_overlay(row: VideoRow, masks: VideoMasks, path: Path, *, config: SegmentConfig) -> None:
    """Draw one video's masks over its frames, from the row's start up to the last frame with a mask.

    Frames keep their times and the shape of their pixels. Raises VideoError and UserError.
    """
    maps = label_maps(masks)
    index, _, labels = next(maps)
    with (
        open_source_video(SourceVideo.of(row, config), masks.rows[-1]["frame_index"] + 1) as video,
        VideoWriter(path, video.frames_per_second, pixel_aspect=video.pixel_aspect) as writer,
    ):
        for frame in video:
            if frame.index < index:
                writer.write(frame.image, frame.pts_seconds)
                continue
            if frame.image.shape[:2] != labels.shape:
                raise VideoError("its frames no longer have the size of its masks")
            writer.write(blend(frame.image, labels), frame.pts_seconds)
            index, _, labels = next(maps, (index, "", labels))
