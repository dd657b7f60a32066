"""A file for each object and frame, named as `mask_names` says: 00012_label3.png, or 00012/dog.png."""

from collections import Counter

from jobs.errors import PromptError
from jobs.inputs.prompts.images.object_masks import number_objects, put_masks
from jobs.inputs.prompts.prompt_builder import MAX_OBJECTS, PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource


def add_named_masks(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks of all objects; a mask is where its image is not 0. Raises PromptError."""
    names = source.frame_names
    paths = {source.name_of(file): file for file in source.contents or [source.path]}
    frames, objects = names.frames_of(paths), {path: names.object_in(path) for path in paths}
    ids = number_objects(sorted(set(objects.values())), builder)
    if len(ids) > MAX_OBJECTS:
        raise PromptError(f"the names of the masks hold {len(ids):,} objects; legal: up to {MAX_OBJECTS} in a video")
    twice = [key for key, count in Counter((frames[p], objects[p]) for p in paths).items() if count > 1]
    if twice:
        raise PromptError(f"several masks are of frame {twice[0][0]} and object {twice[0][1][:50]}; legal: one")
    for name, object_id in ids.items():
        own = sorted((frames[path], file) for path, file in paths.items() if objects[path] == name)
        put_masks(object_id, own, source, builder=builder)


KIND = PromptKind(name="masks with {object} in mask_names", add=add_named_masks)
