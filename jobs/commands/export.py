"""Write masks in the formats of others."""

from pathlib import Path

from jobs.errors import UserError
from jobs.outputs.label_maps import label_maps, to_image
from jobs.outputs.names import file_name, own_name
from jobs.outputs.stored_masks import masks_by_video

FORMATS = ("davis",)


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
