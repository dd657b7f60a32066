"""COCO instances: a JSON with images, each a frame of some video, and with annotations of these images."""

from jobs.errors import PromptError
from jobs.inputs.prompts import json_fields as fields
from jobs.inputs.prompts.frame_names import FrameNames
from jobs.inputs.prompts.json_fields import Categories, Key, Record, object_id_of, object_key
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource
from jobs.inputs.prompts.segmentation import mask_of
from jobs.records import Entry

FRAME_KEYS = ("frame_index", "frame_id")  # counted from 0

Frames = dict[Key, tuple[int, Record]]  # image id -> frame index and image


def add_coco(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks of the annotations of a video's images. Raises PromptError."""
    content = source.json
    frames, categories = _frames(content, source.entry, source.frame_names), Categories(content)
    annotations = fields.records(content, "annotations")
    own = [a for a in annotations if fields.identifier(a, "image_id", "an annotation") in frames]
    key = object_key(own)
    for annotation in own:
        frame, image = frames[annotation["image_id"]]
        object_id = object_id_of(annotation, key)
        whose = f"object {object_id} on frame {frame}"
        size, segmentation = fields.size_of(image), annotation.get("segmentation")
        builder.put(frame, object_id, mask_of(segmentation, size, source.max_pixels, whose=whose))
        if name := categories.name_of(annotation):
            builder.name(object_id, name)


def _frames(content: Record, entry: Entry, names: FrameNames) -> Frames:
    """The images of the video by id, each with the index of its frame."""
    images = {fields.identifier(image, "id", "an image"): image for image in fields.records(content, "images")}
    if len(images) < len(content["images"]):
        raise PromptError("images of the JSON have the same id; legal: an id for each")
    frames: Frames = {}
    by_frame: dict[int, Key] = {}
    for key, image in _of_video(content, images, entry).items():
        frame = _frame(image, entry, names)
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
    for video in fields.records(content, "videos") if content.get("videos") is not None else ():
        if (group := fields.identifier(video, "id", "a video")) in called:
            called[group] |= fields.names_of_file(fields.text(video, "name", "a video"))
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


def _has_name(image: Record, video_id: str) -> bool:
    return video_id in fields.names_of_file(fields.text(image, "file_name", "an image"))


def _video_of(image: Record) -> Key:
    if image.get("video_id") is not None:
        return fields.identifier(image, "video_id", "an image")
    return fields.folder_of(fields.text(image, "file_name", "an image"))


def _index(image: Record) -> int | None:
    key = next((key for key in FRAME_KEYS if image.get(key) is not None), None)
    return None if key is None else fields.integer(image, key, "an image")


def _frame(image: Record, entry: Entry, names: FrameNames) -> int:
    """The index of an image's frame: by its name in a folder of images, by its index, or by the number in its name.

    An image with the name of the video belongs to the first segmented frame, as a single PNG does.
    """
    file_name, index = fields.text(image, "file_name", "an image"), _index(image)
    named = None if file_name is None else names.find(file_name)
    if named is not None and index is not None and named != index:
        raise PromptError(
            f"image {fields.shown(file_name)} is frame {named} by its name, and says that it is {index}; legal: the "
            f"same, with {' or '.join(FRAME_KEYS)} counted from 0, or none of these"
        )
    if index is not None:
        return index
    if file_name is None:
        raise PromptError(f"image {fields.shown(image)} says no frame; legal: file_name, or {' or '.join(FRAME_KEYS)}")
    return entry.start if named is None and _has_name(image, entry.video_id) else names.frame_of(file_name)


KIND = PromptKind(name="COCO instances", json_keys=("images", "annotations"), add=add_coco)
