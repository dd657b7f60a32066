"""Label maps as indexed PNGs, as DAVIS and YouTube-VOS have them: a folder for each video."""

from collections.abc import Iterator
from pathlib import Path

from jobs.exports.mask_batches import MaskBatch, MasksFile
from jobs.outputs.file_names import own_name
from jobs.outputs.label_maps import label_maps, to_image

COLUMNS = ("frame_name", "counts")
MAX_INDEXED = 255


def write_video(file: MasksFile, video_id: str, batches: Iterator[MaskBatch], folder: Path) -> tuple[int, str | None]:
    """Write the PNGs of one video; returns how many masks they hold, and a warning if there is cause for one."""
    folder.mkdir(parents=True)
    masks, highest = 0, 0
    for batch in batches:
        for _, name, labels in label_maps(file.decoded(batch)):
            to_image(labels).save(folder / f"{own_name(name)}.png")
            highest = max(highest, int(labels.max()))
        masks += len(batch.masks)
    if highest <= MAX_INDEXED:
        return masks, None
    return masks, f"ids up to {highest}: PNGs with one over {MAX_INDEXED} are 16-bit grey, which not every reader takes"
