"""Load the prompts of a video, of whatever kind they are."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from jobs.errors import PromptError
from jobs.inputs.prompts import kinds
from jobs.inputs.prompts.annotations.fields import shown
from jobs.inputs.prompts.annotations.json_file import JSON_SUFFIX, read_json
from jobs.inputs.prompts.images import label_images, named_masks
from jobs.inputs.prompts.leniency import Leniency
from jobs.inputs.prompts.names.frame_names import FrameNames, called
from jobs.inputs.prompts.names.mask_name_pattern import MaskNamePattern
from jobs.inputs.prompts.prompt_builder import PromptBuilder, Prompts
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource, files_with_suffix
from jobs.records import Entry
from stcn_core.frames import prompted_frames

MASK_SUFFIX = ".png"


def load_prompts(
    path: Path,
    entry: Entry,
    names: Sequence[str] | None,
    *,
    size: tuple[int, int] | None = None,
    frames: int | None = None,
    leniency: Leniency | None = None,
) -> Prompts:
    """Read all prompts of a video, its frames counted from the video's own first.

    names: of the video's frames if it is a folder of images; a mask then belongs to the frame of its
    name. Otherwise the number in a mask's name is the index of its frame. A single PNG belongs to the frame `start`.
    size: of the frames, (height, width); masks of other sizes are refused before they are decoded.
    frames: of the video, as its file claims; masks of later ones are refused. None: no claim.
    Raises PromptError.
    """
    kind, source = _recognise(
        PromptSource(path=path, entry=entry, frame_names=_frame_names(entry, names, frames), size=size)
    )
    builder = PromptBuilder(leniency)
    kind.add(source, builder)
    if not builder.labels:
        left_out = f". {builder.notes[0]}" if builder.notes else ""
        raise PromptError(f"the prompts ({path.name}) hold no object: every pixel is 0, or there is no mask{left_out}")
    _check_frames(builder, source)
    removals: dict[int, set[int]] = {}
    for object_id, frame in _find_removals(entry.removals, builder, source.frame_names):
        removals.setdefault(frame, set()).add(object_id)
    return Prompts(dict(sorted(builder.labels.items())), builder.names, removals, builder.read(), tuple(builder.notes))


def _frame_names(entry: Entry, images: Sequence[str] | None, frames: int | None) -> FrameNames:
    return FrameNames(
        images=images,
        frames=len(images) if images is not None else frames,
        video_names=called(entry.video_id, entry.video),
        first_number=entry.first_frame,
        start=entry.start,
        pattern=MaskNamePattern(entry.mask_names) if entry.mask_names else None,
    )


def _check_frames(builder: PromptBuilder, source: PromptSource) -> None:
    """Refuse a mask of a frame that the video does not have, by its own claim, before anything is segmented."""
    frames, first_number = source.frame_names.frames, source.frame_names.first_number
    last, first = max(builder.labels), min(builder.labels)
    if frames is None or last < frames:
        return
    one_off = last == frames and first > 0 and not first_number
    question = " Do the names count from 1? Then say so in the manifest's column first_frame: 1." if one_off else ""
    raise PromptError(
        f"a mask is of frame {last} ({builder.source_of(last)}), and the video has {frames} frames, 0 to {frames - 1}."
        f"{question or ' Is it the mask of another video, or of one that was cut?'}"
    )


def _recognise(source: PromptSource) -> tuple[PromptKind, PromptSource]:
    """The kind of the prompts, and the source with what was read to recognise it. Raises PromptError."""
    suffix = source.path.suffix.lower()
    if (pattern := source.frame_names.pattern) and (source.path.is_dir() or suffix == MASK_SUFFIX):
        return _recognise_named(source, pattern)
    if source.path.is_dir():
        return _recognise_folder(source)
    if suffix == JSON_SUFFIX:
        return _recognise_json(source)
    return next((kind for kind in kinds.KINDS if kind.suffix == suffix), kinds.DEFAULT_KIND), source


def _recognise_named(source: PromptSource, pattern: MaskNamePattern) -> tuple[PromptKind, PromptSource]:
    """Masks whose names the manifest describes: each of one object, or each with all objects of a frame."""
    kind = named_masks.KIND if pattern.has_object else label_images.KIND
    if not source.path.is_dir():
        return kind, source
    folders = [source.path]
    for _ in range(pattern.depth):
        folders = [below for folder in folders for below in sorted(folder.iterdir()) if below.is_dir()]
    contents = [file for folder in folders for file in files_with_suffix(folder, MASK_SUFFIX)]
    if not contents:
        raise PromptError(
            f"the prompts folder {source.path.name} holds no {MASK_SUFFIX} {pattern.depth} folders deep, where "
            f"mask_names {pattern.text} says that masks are"
        )
    return kind, replace(source, contents=contents)


def _recognise_folder(source: PromptSource) -> tuple[PromptKind, PromptSource]:
    """The kind of which the folder has contents. It must be one kind."""
    of_folders = [(kind, kind.folder, kind.folder.find(source.path)) for kind in kinds.KINDS if kind.folder]
    found = [(kind, contents) for kind, _, contents in of_folders if contents]
    if len(found) > 1:
        counts = _listed([f"{len(contents)} {folder.plural}" for _, folder, contents in of_folders], "and")
        raise PromptError(
            f"the prompts folder {source.path.name} holds {counts}; legal: prompts of one kind. Put those to be used "
            "into a folder of their own"
        )
    if not found:
        legal = _listed([f"no {folder.singular}" for _, folder, _ in of_folders], "and")
        lossy = sum(file.suffix.lower() in (".jpg", ".jpeg") for file in source.path.iterdir())
        jpeg = f". It has {lossy} JPEG, whose edges are soft: save masks as PNG" if lossy else ""
        raise PromptError(
            f"the prompts folder {source.path.name} holds {legal}; a JSON is named itself, not its folder{jpeg}"
        )
    kind, contents = found[0]
    return kind, replace(source, contents=contents)


def _recognise_json(source: PromptSource) -> tuple[PromptKind, PromptSource]:
    """The first kind whose keys the JSON has."""
    content = read_json(source.path)
    of_json = [kind for kind in kinds.KINDS if kind.json_keys]
    for kind in of_json:
        if content.keys() >= set(kind.json_keys):
            return kind, replace(source, json=content)
    legal = _listed([f"{kind.name} ({', '.join(kind.json_keys)})" for kind in of_json], "or")
    raise PromptError(
        f"prompts {source.path.name} are no JSON that is known, its keys are {shown(list(content)[:10])}; "
        f"legal: {legal}"
    )


def _listed(texts: Sequence[str], conjunction: str) -> str:
    return f" {conjunction} ".join([", ".join(texts[:-1]), texts[-1]])


def _find_removals(
    removals: Sequence[tuple[int, int]], builder: PromptBuilder, names: FrameNames
) -> Iterator[tuple[int, int]]:
    """Yield the object and the frame index of each removal.

    Each object must have a prompt before the frame of its removal, and none on that frame, which the video has. Raises
    PromptError.
    """
    prompted = prompted_frames(builder.labels) if removals else {}
    for object_id, number in removals:
        frame = names.frame_of_removal(number)
        if names.frames is not None and frame >= names.frames:
            first = names.first_number
            raise PromptError(
                f"remove says {object_id}@{number}, and the video has {names.frames} frames; legal: {first} to "
                f"{names.frames - 1 + first}"
            )
        frames = prompted.get(object_id, [])
        if not frames or frames[0] >= frame or frame in frames:
            has = f"it is prompted on the frames {frames[:10]}" if frames else f"there are {sorted(prompted)[:10]}"
            index = "" if frame == number else f", which is frame {frame} counted from 0"
            raise PromptError(
                f"remove says {object_id}@{number}{index}, and {has}; legal: an object of the prompts, on a frame "
                "after its first prompt on which it is not prompted"
            )
        yield object_id, frame
