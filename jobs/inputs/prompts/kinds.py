"""The kinds of prompts. A new kind is a module in one of the folders beside this file, and its entry in KINDS."""

from jobs.inputs.prompts.annotations import burst, coco, sav, ytvis
from jobs.inputs.prompts.arrays import label_arrays, parquet_rows
from jobs.inputs.prompts.cvat import kind as cvat
from jobs.inputs.prompts.images import label_images, object_folders
from jobs.inputs.prompts.prompt_kind import PromptKind

# The first kind whose sign fits is used: a JSON with "images" and "videos" is COCO, not YTVIS.
KINDS: tuple[PromptKind, ...] = (
    parquet_rows.KIND,
    label_images.KIND,
    object_folders.KIND,
    sav.KIND,
    coco.KIND,
    burst.KIND,
    ytvis.KIND,
    cvat.KIND,
    label_arrays.KIND,
)
# A file with any other suffix is read as an image, which has many formats and suffixes.
DEFAULT_KIND = label_images.KIND
