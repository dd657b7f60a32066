"""CVAT for images 1.1: images with the shapes on each, whose names say the frames."""

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations import fields
from jobs.inputs.prompts.annotations.fields import Record
from jobs.inputs.prompts.annotations.objects import ObjectIds
from jobs.inputs.prompts.cvat.frames import Task
from jobs.inputs.prompts.cvat.shapes import DrawnShape, depth_of, put_shape, shapes_of, whole
from jobs.inputs.prompts.cvat.xml_file import Element
from jobs.inputs.prompts.frame_size import is_near
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptSource

MAX_DIGITS = 15  # of an attribute that is a number


def add_images(images: list[Element], task: Task, source: PromptSource, *, builder: PromptBuilder) -> None:
    """Add the shapes of a video's images. Raises PromptError."""
    own = _of_video(images, source)
    frames = source.frame_names.frames_of(own)
    if len(set(frames.values())) < len(own):
        raise PromptError(f"images of the XML say some frame twice: {fields.shown(list(own))}; legal: a frame each")
    shapes = [(name, shape) for name, image in own.items() for shape in shapes_of(image)]
    records = [_record(number, name, shape) for number, (name, shape) in enumerate(shapes, 1)]
    ids = ObjectIds(records, records, builder)
    # In the order of depth, so that of two masks the later one is in front.
    for record, (name, shape) in sorted(zip(records, shapes, strict=True), key=lambda each: depth_of(each[1][1])):
        with builder.annotation(f"{shape.tag} {record['id']} of the XML"):
            drawn = DrawnShape(
                shape=shape,
                frame=frames[name],
                object_id=ids.of(record),
                size=_size(own[name], task),
                label=shape.attributes.get("label"),
                where=f"image {fields.shown(name)}",
            )
            put_shape(drawn, task.labels, source, builder=builder)


def _of_video(images: list[Element], source: PromptSource) -> dict[str, Element]:
    """The images of the manifest's video by name: a folder in the names is a video. Raises PromptError."""
    videos: dict[str, dict[str, Element]] = {}
    for image in images:
        name = fields.text(dict(image.attributes), "name", "an image")
        if name is None:
            raise PromptError("an image of the XML has no name; legal: the name of a frame")
        if videos.setdefault(fields.folder_of(name), {}).setdefault(name, image) is not image:
            raise PromptError(f"two images of the XML are called {fields.shown(name)}; legal: a name for each")
    called = {folder: fields.names_of_file(folder) for folder in videos}
    return videos[fields.choose_video(source.entry.video_id, called, file="XML")]


def _record(number: int, name: str, shape: Element) -> Record:
    """A shape as an annotation of COCO, whose attributes may hold its object's id."""
    values = {of.attributes.get("name", ""): of.text.strip() for of in shape.all_of("attribute")}
    attributes = {key: _plain(value) for key, value in values.items() if value}
    return {"id": number, "image_id": name, "attributes": attributes}


def _plain(value: str) -> int | str:
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= MAX_DIGITS else value


def _size(image: Element, task: Task) -> tuple[int, int]:
    """Height and width of an image. Raises PromptError if they are not those of the task's video."""
    height, width = whole(image, "height"), whole(image, "width")
    if task.size and not is_near(height, width, task.size):
        raise PromptError(
            f"an image is {width}x{height} by its width and height, and {task.size[1]}x{task.size[0]} by the XML's "
            "original_size; legal: the same"
        )
    return height, width
