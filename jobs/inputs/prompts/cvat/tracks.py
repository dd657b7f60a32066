"""CVAT for video 1.1: tracks, each an object with its shapes on frames that are counted from 0."""

from collections import Counter

from jobs.errors import PromptError
from jobs.inputs.prompts.cvat.frames import Task
from jobs.inputs.prompts.cvat.shapes import DrawnShape, depth_of, put_shape, shapes_of, whole
from jobs.inputs.prompts.cvat.xml_file import Element
from jobs.inputs.prompts.images.object_masks import number_from_one
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptSource


def add_tracks(tracks: list[Element], task: Task, source: PromptSource, *, builder: PromptBuilder) -> None:
    """Add the shapes that people drew: those between them are CVAT's interpolation. Raises PromptError."""
    source.frame_names.refuse_first_number("CVAT counts the frames of a video")
    if (size := task.size or source.size) is None:
        raise PromptError("the XML does not say the size of its frames; legal: original_size in its meta, as CVAT has")
    given = [whole(track, "id") for track in tracks]
    if twice := [number for number, count in Counter(given).items() if count > 1]:
        raise PromptError(f"several tracks have the id {twice[0]}; legal: an id for each")
    ids = number_from_one(given)
    if ids != given:
        builder.note("track ids count from 0, and are read one higher: object 1 is track 0")
    shapes = [(i, track, shape) for i, track in zip(ids, tracks, strict=True) for shape in shapes_of(track)]
    _note_others([shape for _, _, shape in shapes], builder)
    # In the order of depth, so that of two masks the later one is in front.
    for object_id, track, shape in sorted(shapes, key=lambda each: depth_of(each[2])):
        if _is_prompt(shape):
            where = f"track {whole(track, 'id')}"
            with builder.annotation(f"the {shape.tag} of {where} on frame {whole(shape, 'frame')}"):
                drawn = DrawnShape(
                    shape=shape,
                    frame=task.frame_of(whole(shape, "frame"), source.frame_names),
                    object_id=object_id,
                    size=size,
                    label=track.attributes.get("label"),
                    where=where,
                )
                put_shape(drawn, task.labels, source, builder=builder)


def _is_prompt(shape: Element) -> bool:
    """Whether a person drew the shape, and the object is there."""
    return whole(shape, "keyframe", default=1) == 1 and whole(shape, "outside", default=0) == 0


def _note_others(shapes: list[Element], builder: PromptBuilder) -> None:
    if interpolated := sum(whole(shape, "keyframe", default=1) != 1 for shape in shapes):
        builder.note(f"shapes between keyframes, which CVAT interpolated, are no prompts: {interpolated}")
    # CVAT also ends a shape of a single frame so.
    if any(whole(shape, "outside", default=0) for shape in shapes):
        builder.note('outside="1" takes no object away; the manifest\'s column remove does')
