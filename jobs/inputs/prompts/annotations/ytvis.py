"""YTVIS: a JSON with videos, and with annotations that have a segmentation for each frame of their video."""

from typing import Any

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations import fields
from jobs.inputs.prompts.annotations.fields import Key, Record
from jobs.inputs.prompts.annotations.mask_witnesses import compare_with_record
from jobs.inputs.prompts.annotations.objects import Categories, ObjectIds, other_type, without_crowds
from jobs.inputs.prompts.annotations.segmentation import mask_of
from jobs.inputs.prompts.names.frame_names import FrameNames
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource
from jobs.records import Entry


def add_ytvis(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks of a video's annotations; null or [] means that the object is not visible. Raises PromptError."""
    content = source.json
    key, video = _video(content, source.entry)
    annotations = fields.records(content, "annotations")
    for annotation in annotations:
        _check_video(annotation, content["videos"])
    own = without_crowds([a for a in annotations if a["video_id"] == key], source.entry, builder)
    ids, categories = ObjectIds(own, annotations, builder), Categories(content)
    frames: list[int] | None = None
    for annotation in own:
        object_id, segmentations = ids.of(annotation), annotation.get("segmentations")
        if not isinstance(segmentations, list):
            raise PromptError(f"segmentations of object {object_id} is {fields.shown(segmentations)}; legal: a list")
        frames = frames if frames is not None else _frames(video, len(segmentations), source.frame_names)
        if len(segmentations) != len(frames):
            raise PromptError(
                f"object {object_id} has {len(segmentations)} segmentations, its video {len(frames)} frames; legal: "
                "one for each frame, null where it is not visible"
            )
        if name := categories.name_of(annotation):
            builder.name(object_id, name)
        for place, (frame, segmentation) in enumerate(zip(frames, segmentations, strict=True)):
            if segmentation is not None and segmentation != []:
                with builder.annotation(f"segmentation {place} of annotation {fields.shown(annotation.get('id'))}"):
                    whose = f"object {object_id} on frame {frame}"
                    mask = mask_of(segmentation, fields.size_of(video), source, whose=whose)
                    compare_with_record(_at(annotation, place), mask, whose=whose)
                    builder.put(frame, object_id, mask, source=f"annotation {fields.shown(annotation.get('id'))}")


def _at(annotation: Record, place: int) -> Record:
    """What an annotation says of one frame: bboxes and areas are lists, as segmentations are."""
    lists = {"bbox": annotation.get("bboxes"), "area": annotation.get("areas")}
    return {key: v[place] for key, v in lists.items() if isinstance(v, list) and len(v) > place}


def _check_video(annotation: Record, videos: list[Record]) -> None:
    """Refuse an annotation of a video that the JSON lacks: it may be this one's."""
    key = fields.identifier(annotation, "video_id", "an annotation")
    ids = [video["id"] for video in videos]
    if key not in ids:
        raise PromptError(
            f"annotation {fields.shown(annotation.get('id'))} has video_id {fields.shown(key)}, and no video has this "
            f"id{other_type(key, ids)}"
        )


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
    length = None if video.get("length") is None else fields.integer(video, "length", "a video")
    if length is not None and length != (len(files) or count):
        raise PromptError(
            f"length of the video is {length}, and it has {len(files) or count} "
            f"{'file_names' if files else 'segmentations'}; legal: the same"
        )
    if not files:
        names.refuse_first_number("segmentations without file_names are in their order,")
        if names.frames is not None and count != names.frames:
            raise PromptError(
                f"the JSON has {count} segmentations an object and no file_names, and the video has {names.frames} "
                "frames; legal: one for each frame, or file_names that say which frames they are of"
            )
        return list(range(count))
    found = names.frames_of(files)
    frames = [found[file] for file in files]
    if len(set(frames)) < len(frames):
        raise PromptError(f"file_names of a video say some frame twice: {fields.shown(files)}; legal: a frame each")
    if names.frames is not None and max(frames) >= names.frames:
        late = files[frames.index(max(frames))]
        raise PromptError(
            f"the JSON's file {fields.shown(late)} is frame {max(frames)}, and the video has {names.frames} frames; "
            "legal: the video of the annotations. Where names count from 1, say so in the manifest's column first_frame"
        )
    return frames


KIND = PromptKind(name="YTVIS", json_keys=("videos", "annotations"), add=add_ytvis)
