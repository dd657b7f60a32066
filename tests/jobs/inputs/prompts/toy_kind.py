"""A toy kind in one file: a label map in NumPy's .npy, or a folder of them, named by frame."""

from functools import partial

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import FolderContents, PromptKind, PromptSource, files_with_suffix

SUFFIX = ".npy"


def add_arrays(source: PromptSource, builder: PromptBuilder) -> None:
    """Add one array, of the first segmented frame, or a folder of arrays."""
    files = source.frame_names.by_frame(source.contents) if source.contents else {source.entry.start: source.path}
    for frame, file in files.items():
        labels = np.load(file, allow_pickle=False)
        if labels.size > source.max_pixels:
            raise PromptError(f"{file.name} has {labels.size} pixels; legal: up to {source.max_pixels}")
        builder.put_labels(frame, labels)


KIND = PromptKind(
    name="NumPy arrays",
    add=add_arrays,
    suffix=SUFFIX,
    folder=FolderContents(find=partial(files_with_suffix, suffix=SUFFIX), singular=SUFFIX, plural=SUFFIX),
)
