"""Label images, each with all objects of a frame: pixel values, or colours of the VOC palette, are object ids."""

import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from jobs.errors import PromptError
from jobs.inputs.prompts.images.mask_images import VOIDS, labels_of, open_mask, without_void
from jobs.inputs.prompts.images.palettes import Palettes
from jobs.inputs.prompts.names.numbers_in_names import stem_of
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import FolderContents, PromptKind, PromptSource, files_with_suffix
from stcn_core.frames import present_ids

NAMED_LIKE_A_FRAME = re.compile(r"(?:(?:frame|frm|img|image)[^0-9a-z]?)?([0-9]+)", re.IGNORECASE)

Masks = Iterable[tuple[int, Path, np.ndarray]]  # frame, file and label map


def add_label_images(source: PromptSource, builder: PromptBuilder) -> None:
    """Add one image, of the first segmented frame, or a folder of images named by their frames. Raises PromptError."""
    names = source.frame_names
    files = names.by_frame(source.contents) if source.contents else {_frame_of_single(source): source.path}
    masks: Masks = _read(files, source, builder)
    if source.entry.first_masks_only:
        masks = _first_masks(masks)
    for frame, file, labels in masks:
        void = source.entry.void
        with builder.annotation(f"mask {source.name_of(file)}"):
            builder.put_labels(
                frame, np.where(labels == void, 0, labels) if void else labels, source=source.name_of(file)
            )
    if source.entry.void is None and not source.entry.first_masks_only:
        ask_for_void(builder.ids)


def _read(
    files: dict[int, Path], source: PromptSource, builder: PromptBuilder
) -> Iterator[tuple[int, Path, np.ndarray]]:
    palettes = Palettes()
    for frame, file in files.items():
        with builder.annotation(f"mask {source.name_of(file)}"):
            image = open_mask(file, source.max_pixels, size=source.size)
            palettes.add(image, file)
            yield frame, file, labels_of(image, file)


def _frame_of_single(source: PromptSource) -> int:
    """The frame of a single mask: the first segmented one, unless its name says another. Raises PromptError."""
    names, start, name = source.frame_names, source.entry.start, source.path.name
    if names.pattern:
        return names.frames_of([name])[name]
    number = NAMED_LIKE_A_FRAME.fullmatch(stem_of(name))
    frame = names.find(name)
    if frame is None and number and stem_of(name) not in names.video_names:
        frame = int(number[1]) - names.first_number
    if frame is not None and frame < 0 and number:
        raise PromptError(
            f"mask {name[:200]} is of number {number[1]}, and first_frame says that the names begin with "
            f"{names.first_number}"
        )
    if frame is not None and frame != start:
        raise PromptError(
            f"mask {name[:200]} is called like frame {frame}, and a single mask is of the first frame that is "
            f"segmented, {start}; legal: start {frame}, prompts that name its folder, mask_names {{frame}}, or a name "
            "that is none of a frame"
        )
    return start


def ask_for_void(ids: set[int]) -> None:
    """Refuse a value that benchmarks give to pixels of no side, where it may be an object."""
    if len(ids) > 1 and (void := max(ids)) in VOIDS:
        raise PromptError(
            f"the masks hold {void} beside {sorted(ids - {void})[:5]}, where it may be an object, or be void, "
            f"as benchmarks mark pixels of no side. Say which in the manifest's column void: {void}, or none"
        )


def _first_masks(masks: Masks) -> list[tuple[int, Path, np.ndarray]]:
    """The first mask of each object, as semi-supervised benchmarks give it; void is no object."""
    seen: set[int] = set()
    first: list[tuple[int, Path, np.ndarray]] = []
    for frame, file, labels in masks:
        new = set(present_ids(labels)) - seen
        if new:
            first.append((frame, file, np.where(np.isin(labels, list(new)), labels, 0)))
            seen |= new
    void = seen - without_void(seen)
    return [(frame, file, np.where(np.isin(labels, list(void)), 0, labels)) for frame, file, labels in first]


KIND = PromptKind(
    name="label images",
    add=add_label_images,
    folder=FolderContents(find=partial(files_with_suffix, suffix=".png"), singular=".png", plural=".png"),
)
