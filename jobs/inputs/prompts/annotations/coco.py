"""COCO instances: a JSON with images, each a frame of some video, and with annotations of these images."""

from collections.abc import Mapping, Sequence

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

FRAME_KEYS = ("frame_index", "frame_id")  # counted from 0

Frames = dict[Key, tuple[int, Record]]  # image id -> frame index and image


def add_coco(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks of the annotations of a video's images. Raises PromptError."""
    content = source.json
    images = {fields.identifier(image, "id", "an image"): image for image in fields.records(content, "images")}
    if len(images) < len(content["images"]):
        raise PromptError("images of the JSON have the same id; legal: an id for each")
    frames, categories = _frames(content, images, source.entry, names=source.frame_names), Categories(content)
    annotations = fields.records(content, "annotations")
    for annotation in annotations:
        with builder.annotation(_called(annotation)):
            _check_image(annotation, images)
    own = without_crowds([a for a in annotations if a["image_id"] in frames], source.entry, builder)
    ids = ObjectIds(own, annotations, builder)
    for annotation in own:
        with builder.annotation(_called(annotation)):
            frame, image = frames[annotation["image_id"]]
            object_id = ids.of(annotation)
            whose = f"object {object_id} on frame {frame}"
            mask = mask_of(annotation.get("segmentation"), fields.size_of(image), source, whose=whose)
            compare_with_record(annotation, mask, whose=whose)
            if name := categories.name_of(annotation):
                builder.name(object_id, name)
            builder.put(frame, object_id, mask, source=_source(image))


def _called(annotation: Record) -> str:
    return f"annotation {fields.shown(annotation.get('id'))}"


def _source(image: Record) -> str:
    return f"image {fields.shown(image.get('file_name') or image['id'])}"


def _check_image(annotation: Record, images: Mapping[Key, Record]) -> None:
    """Refuse an annotation of an image that the JSON lacks: it may be one of the video's."""
    key = fields.identifier(annotation, "image_id", "an annotation")
    if key not in images:
        raise PromptError(
            f"{_called(annotation)} has image_id {fields.shown(key)}, and no image has this id"
            f"{other_type(key, list(images))}"
        )
    videos = annotation.get("video_id"), images[key].get("video_id")
    if None not in videos and videos[0] != videos[1]:
        raise PromptError(
            f"{_called(annotation)} has video_id {fields.shown(videos[0])}, and its image has "
            f"{fields.shown(videos[1])}; legal: the same"
        )


def _frames(content: Record, images: dict[Key, Record], entry: Entry, *, names: FrameNames) -> Frames:
    """The images of the video by id, each with the index of its frame."""
    frames: Frames = {}
    by_frame: dict[int, Key] = {}
    own = _of_video(content, images, entry)
    _check_length(content, own, names)
    named = _named_frames(own, entry, names)
    for key, image in own.items():
        frame = _frame(image, named.get(key), names)
        if (other := by_frame.setdefault(frame, key)) != key:
            both = f"{fields.shown(other)} and {fields.shown(key)}"
            raise PromptError(f"images {both} are both of frame {frame}; legal: one image a frame")
        frames[key] = frame, image
    return frames


def _of_video(content: Record, images: dict[Key, Record], entry: Entry) -> dict[Key, Record]:
    """The images of the video: by video_id, by the folder in file_name, or the one image with the name of the video."""
    groups: dict[Key, dict[Key, Record]] = {}
    for key, image in images.items():
        groups.setdefault(_video_of(image), {})[key] = image
    if not groups:
        raise PromptError("the JSON has no images; legal: one for each frame that has masks")
    called = {group: {str(group)} | fields.names_of_file(str(group)) for group in groups}
    videos = fields.records(content, "videos") if content.get("videos") else []
    for video in videos:
        if (group := fields.identifier(video, "id", "a video")) in called:
            called[group] |= fields.names_of_file(fields.text(video, "name", "a video"))
    _check_video_ids(images, [video["id"] for video in videos])
    if not any(entry.video_id in names for names in called.values()):
        alone = {key: image for key, image in images.items() if _has_name(image, entry.video_id)}
        if alone and len(images) > 1 and entry.video_id.isdecimal():
            raise PromptError(
                f"an image of the JSON is called {fields.shown(entry.video_id)}, as the video is, and as a frame might "
                "be; legal: a video_id for each image, a folder in its file_name, or a JSON for each video"
            )
        if len(alone) == 1:
            return alone
    return groups[fields.choose_video(entry.video_id, called)]


def _check_video_ids(images: Mapping[Key, Record], videos: Sequence[Key]) -> None:
    """Refuse an image of a video that the JSON lacks, where it lists its videos."""
    for key, image in images.items():
        video = image.get("video_id")
        if videos and video is not None and video not in videos:
            raise PromptError(
                f"image {fields.shown(key)} has video_id {fields.shown(video)}, and no video has this id"
                f"{other_type(_video_of(image), videos)}"
            )


def _check_length(content: Record, images: Mapping[Key, Record], names: FrameNames) -> None:
    """Compare a video's `length` with the frames that it has. Fewer may be those annotated."""
    own = {image.get("video_id") for image in images.values() if isinstance(image.get("video_id"), (int, str))}
    for video in fields.records(content, "videos") if content.get("videos") else ():
        if video.get("length") is not None and video.get("id") in own:
            length = fields.integer(video, "length", "a video")
            if names.frames is not None and length > names.frames:
                raise PromptError(
                    f"length of the JSON's video is {length}, and the video has {names.frames} frames; legal: the "
                    "video of the annotations"
                )


def _has_name(image: Record, video_id: str) -> bool:
    return video_id in fields.names_of_file(fields.text(image, "file_name", "an image"))


def _video_of(image: Record) -> Key:
    if image.get("video_id") is not None:
        return fields.identifier(image, "video_id", "an image")
    return fields.folder_of(fields.text(image, "file_name", "an image"))


def _index(image: Record, first_number: int) -> int | None:
    """The index that an image says; of two, frame_index. Raises PromptError if they contradict each other."""
    given = [fields.integer(image, key, "an image") for key in FRAME_KEYS if image.get(key) is not None]
    if len(given) == 2 and given[1] - given[0] not in (0, first_number):
        question = ". Does frame_id count from 1? Then say so in the manifest's column first_frame: 1"
        raise PromptError(
            f"image {fields.shown(image.get('file_name') or image['id'])} has frame_index {given[0]} and frame_id "
            f"{given[1]}; legal: the same{question if given[1] - given[0] == 1 and not first_number else ''}"
        )
    return given[0] if given else None


def _named_frames(images: Mapping[Key, Record], entry: Entry, names: FrameNames) -> dict[Key, int]:
    """The frames of those images whose names say one: all by one reading. Raises PromptError.

    An image with the name of the video belongs to the first segmented frame, as a single PNG does.
    """
    files = {key: name for key, image in images.items() if (name := fields.text(image, "file_name", "an image"))}
    without_index = {key for key in files if _index(images[key], names.first_number) is None}
    like_video = {k for k in without_index if names.find(files[k]) is None and _has_name(images[k], entry.video_id)}
    others = {key: name for key, name in files.items() if key not in like_video}
    if names.images is not None and not names.pattern:  # images that have an index may have other names
        others = {k: name for k, name in others.items() if k in without_index or names.find(name) is not None}
    try:
        frames = names.frames_of(others.values())
    except PromptError as error:
        if without_index - like_video:
            raise PromptError(f"{error}{_names_of_others(images, entry)}") from error
        return {}
    return {key: frames[name] for key, name in others.items()} | dict.fromkeys(like_video, entry.start)


def _names_of_others(images: Mapping[Key, Record], entry: Entry) -> str:
    """What the images are called if none of them has the name of the video."""
    if any(entry.video_id in str(image.get("file_name")) or image.get("video_id") for image in images.values()):
        return ""
    some = [fields.shown(image.get("file_name")) for image in list(images.values())[:3]]
    return (
        f". No image of the JSON has the name of the video, {fields.shown(entry.video_id)}: they are {', '.join(some)}"
    )


def _frame(image: Record, named: int | None, names: FrameNames) -> int:
    """The index of an image's frame: by its name, and by its index, which must not contradict each other."""
    index = _index(image, names.first_number)
    if index is None:
        if named is None:
            raise PromptError(
                f"image {fields.shown(image)} says no frame; legal: file_name, or {' or '.join(FRAME_KEYS)}"
            )
        return named
    if index == named or (named is None and len([key for key in FRAME_KEYS if image.get(key) is not None]) == 2):
        return index
    if named is None:
        return index - names.first_number
    if index == named + names.first_number and names.first_number:
        return named
    question = ""
    if index == named - 1:
        question = ". Do the names count from 1? Then say so in the manifest's column first_frame: 1"
    raise PromptError(
        f"image {fields.shown(image['file_name'])} is frame {named} by its name, and says that it is {index}; legal: "
        f"the same, with {' or '.join(FRAME_KEYS)} counted from 0, or none of these{question}"
    )


KIND = PromptKind(name="COCO instances", json_keys=("images", "annotations"), add=add_coco)
