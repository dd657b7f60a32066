"""The kinds of prompts. A new kind is a module of this folder, and its entry in KINDS."""

from jobs.inputs.prompts import (
    cvat,
    json_burst,
    json_coco,
    json_sav,
    json_ytvis,
    label_arrays,
    label_images,
    object_folders,
    parquet_rows,
)
from jobs.inputs.prompts.prompt_kind import PromptKind

# The first kind whose sign fits is used: a JSON with "images" and "videos" is COCO, not YTVIS.
KINDS: tuple[PromptKind, ...] = (
    parquet_rows.KIND,
    label_images.KIND,
    object_folders.KIND,
    json_sav.KIND,
    json_coco.KIND,
    json_burst.KIND,
    json_ytvis.KIND,
    cvat.KIND,
    label_arrays.KIND,
)
# A file with any other suffix is read as an image, which has many formats and suffixes.
DEFAULT_KIND = label_images.KIND
