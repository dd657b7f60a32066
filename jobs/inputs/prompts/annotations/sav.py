"""SA-V: a JSON with the masklets of a video, a list of RLEs for each annotated frame."""

from typing import Any

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations.fields import Record, integer, shown
from jobs.inputs.prompts.annotations.segmentation import mask_of
from jobs.inputs.prompts.images.object_masks import number_from_one
from jobs.inputs.prompts.names.frame_names import FrameNames
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource

EVERY = 4  # frames from one annotation to the next: videos have 24 frames/s, annotations 6


def add_sav(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks of all masklets; null means that the object is not visible. Raises PromptError."""
    content = source.json
    masklets, ids = _list(content, "masklet"), _list(content, "masklet_id")
    given = [integer({"masklet_id": i}, "masklet_id", "a masklet") for i in ids]
    object_ids = number_from_one(given)
    if min(object_ids, default=1) < 1 or len(set(object_ids)) < len(object_ids):
        raise PromptError(f"masklet_id is {shown(given)}; legal: an id for each masklet, from 0 up")
    if (number := content.get("masklet_num")) is not None and number != len(given):
        raise PromptError(f"masklet_num is {shown(number)}, and masklet_id has {len(given)} ids; legal: the same")
    if object_ids != given:
        builder.note("masklet_id counts from 0, and is read one higher; object_name keeps each number")
    for number, object_id in zip(given, object_ids, strict=True):
        if number != object_id:
            builder.name(object_id, str(number))
    source.frame_names.refuse_first_number("masklets are in the order of frames,")
    every = _every(content, len(masklets), source.frame_names)
    for frame, masks in zip(range(0, len(masklets) * every, every), masklets, strict=True):
        if not isinstance(masks, list) or len(masks) != len(object_ids):
            raise PromptError(
                f"the masks of frame {frame} are {shown(masks)}; legal: a list of {len(object_ids)}, one a masklet_id"
            )
        for object_id, mask in zip(object_ids, masks, strict=True):
            if mask is not None:
                whose = f"object {object_id} on frame {frame}"
                with builder.annotation(f"the mask of {whose}"):
                    builder.put(frame, object_id, mask_of(mask, _size(content), source, whose=whose), source="masklet")


def _list(content: Record, key: str) -> list[Any]:
    value = content.get(key)
    if not isinstance(value, list):
        raise PromptError(f"the JSON's {key} is {shown(value)}; legal: a list, as in SA-V")
    return value


def _size(content: Record) -> tuple[int, int] | None:
    """Height and width of the frames by the JSON, or None if it does not say."""
    sides = [content.get(key) for key in ("video_height", "video_width")]
    if any(side is None for side in sides):
        return None
    return integer(content, "video_height", "the JSON"), integer(content, "video_width", "the JSON")


def _every(content: Record, annotated: int, names: FrameNames) -> int:
    """Frames from one annotation to the next, derived from the number of the video's frames. Raises PromptError."""
    frames = integer(content, "video_frame_count", "the JSON")
    if names.images is not None and names.frames == annotated:  # the folder of images holds those annotated alone
        return 1
    if names.frames is not None and names.frames != frames:
        raise PromptError(
            f"the JSON is of {frames} frames, {annotated} of them annotated, and the video has {names.frames}; legal: "
            "the video of the annotations, or a folder of all of its frames, or of those annotated"
        )
    for every in (1, EVERY):
        if annotated in (frames // every, -(-frames // every)):
            return every
    raise PromptError(
        f"the JSON has masks of {annotated} frames, and its video_frame_count is {frames}; legal: one for each frame, "
        f"or for every {EVERY}th, as SA-V has them"
    )


KIND = PromptKind(name="SA-V", json_keys=("masklet",), add=add_sav)
