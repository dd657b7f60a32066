"""Load the prompts of a video, of whatever kind they are."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jobs.errors import PromptError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.prompts import kinds
from jobs.inputs.prompts.frame_names import FrameNames
from jobs.inputs.prompts.json_fields import shown
from jobs.inputs.prompts.json_file import JSON_SUFFIX, read_json
from jobs.inputs.prompts.label_images import MAX_RESIZE
from jobs.inputs.prompts.prompt_builder import PromptBuilder, Prompts
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource
from jobs.records import Entry
from stcn_core.frames import prompted_frames


def load_prompts(
    path: Path, entry: Entry, names: Sequence[str] | None, *, size: tuple[int, int] | None = None
) -> Prompts:
    """Read all prompts of a video, its frames counted from the video's own first.

    names: of the video's frames if it is a folder of images; a mask then belongs to the frame of its
    name. Otherwise the number in a mask's name is the index of its frame. A single PNG belongs to the frame `start`.
    size: of the frames, (height, width); larger masks are refused before they are decoded.
    Raises PromptError.
    """
    max_pixels = VideoLimits.max_pixels if size is None else round(size[0] * size[1] * (1 + MAX_RESIZE) ** 2)
    source = PromptSource(path=path, entry=entry, frame_names=FrameNames(names), max_pixels=max_pixels)
    kind, source = _recognise(source)
    builder = PromptBuilder()
    kind.add(source, builder)
    if not builder.labels:
        raise PromptError(f"the prompts ({path.name}) hold no object: every pixel is 0, or there is no mask")
    _check_removals(entry.removals, builder)
    removals: dict[int, set[int]] = {}
    for object_id, frame in entry.removals:
        removals.setdefault(frame, set()).add(object_id)
    return Prompts(dict(sorted(builder.labels.items())), builder.names, removals)


def _recognise(source: PromptSource) -> tuple[PromptKind, PromptSource]:
    """The kind of the prompts, and the source with what was read to recognise it. Raises PromptError."""
    suffix = source.path.suffix.lower()
    if source.path.is_dir():
        return _recognise_folder(source)
    if suffix == JSON_SUFFIX:
        return _recognise_json(source)
    return next((kind for kind in kinds.KINDS if kind.suffix == suffix), kinds.DEFAULT_KIND), source


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
        raise PromptError(
            f"the prompts folder {source.path.name} holds {legal}; a JSON is named itself, not its folder"
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


def _check_removals(removals: Sequence[tuple[int, int]], builder: PromptBuilder) -> None:
    """Each object must have a prompt before the frame of its removal, and none on that frame."""
    prompted = prompted_frames(builder.labels) if removals else {}
    for object_id, frame in removals:
        frames = prompted.get(object_id, [])
        if frames and frames[0] < frame and frame not in frames:
            continue
        has = f"it is prompted on the frames {frames[:10]}" if frames else f"there are {sorted(prompted)[:10]}"
        raise PromptError(
            f"remove says {object_id}@{frame}, and {has}; legal: an object of the prompts, on a frame after its first "
            "prompt on which it is not prompted"
        )
