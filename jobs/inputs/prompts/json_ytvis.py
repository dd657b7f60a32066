"""YTVIS: a JSON with videos, and with annotations that have a segmentation for each frame of their video."""

from typing import Any

from jobs.errors import PromptError
from jobs.inputs.prompts import json_fields as fields
from jobs.inputs.prompts.frame_names import FrameNames
from jobs.inputs.prompts.json_fields import Categories, Key, Record, object_id_of, object_key
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource
from jobs.inputs.prompts.segmentation import mask_of
from jobs.records import Entry


def add_ytvis(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks of a video's annotations; null or [] means that the object is not visible. Raises PromptError."""
    content = source.json
    key, video = _video(content, source.entry)
    annotations = fields.records(content, "annotations")
    own = [a for a in annotations if fields.identifier(a, "video_id", "an annotation") == key]
    id_key, categories = object_key(own), Categories(content)
    frames: list[int] | None = None
    for annotation in own:
        object_id, segmentations = object_id_of(annotation, id_key), annotation.get("segmentations")
        if not isinstance(segmentations, list):
            raise PromptError(f"segmentations of object {object_id} is {fields.shown(segmentations)}; legal: a list")
        frames = frames if frames is not None else _frames(video, len(segmentations), source.frame_names)
        if len(segmentations) != len(frames):
            raise PromptError(
                f"object {object_id} has {len(segmentations)} segmentations, its video {len(frames)} frames; legal: "
                "one for each frame, null where it is not visible"
            )
        for frame, segmentation in zip(frames, segmentations, strict=True):
            if segmentation is not None and segmentation != []:
                whose = f"object {object_id} on frame {frame}"
                size = fields.size_of(video)
                builder.put(frame, object_id, mask_of(segmentation, size, source.max_pixels, whose=whose))
        if name := categories.name_of(annotation):
            builder.name(object_id, name)


def _video(content: Record, entry: Entry) -> tuple[Key, Record]:
    videos = {fields.identifier(video, "id", "a video"): video for video in fields.records(content, "videos")}
    if not videos or len(videos) < len(content["videos"]):
        raise PromptError("videos of the JSON have the same id, or there are none; legal: an id for each")
    called = {
        key: {str(key)}
        | fields.names_of_file(fields.text(video, "name", "a video"))
        | fields.names_of_file(fields.folder_of(_first(video)))
        for key, video in videos.items()
    }
    key = fields.choose_video(entry.video_id, called)
    return key, videos[key]


def _file_names(video: Record) -> list[Any]:
    names = video.get("file_names")
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(n, str) and 0 < len(n) <= fields.MAX_TEXT for n in names):
        raise PromptError(f"file_names of a video is {fields.shown(names)}; legal: a list of texts")
    return names


def _first(video: Record) -> str | None:
    return next(iter(_file_names(video)), None)


def _frames(video: Record, count: int, names: FrameNames) -> list[int]:
    """The frame index of each segmentation: by the name of its file, or by its position if there are no names."""
    files = _file_names(video)
    if not files:
        return list(range(count))
    frames = [names.frame_of(file) for file in files]
    if len(set(frames)) < len(frames):
        raise PromptError(f"file_names of a video say some frame twice: {fields.shown(files)}; legal: a frame each")
    return frames


KIND = PromptKind(name="YTVIS", json_keys=("videos", "annotations"), add=add_ytvis)
