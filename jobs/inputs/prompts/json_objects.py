"""Which object an annotation of a COCO or YTVIS JSON is of, and what it is called."""

from collections.abc import Sequence

from jobs.errors import PromptError
from jobs.inputs.prompts.json_fields import Key, Record, identifier, integer, records, shown, text

OBJECT_KEYS = ("track_id", "instance_id", "object_id")  # in this order; annotations without any are objects themselves


def object_key(annotations: Sequence[Record]) -> str:
    """The key that holds a video's object ids. Raises PromptError where only some annotations have it."""
    for key in OBJECT_KEYS:
        having = sum(annotation.get(key) is not None for annotation in annotations)
        if having and having < len(annotations):
            raise PromptError(
                f"of the video's {len(annotations)} annotations {having} have {key}; legal: all, or none, where each "
                "annotation's id is an object's"
            )
        if having:
            return key
    return "id"


class Categories:
    """The names in a JSON's `categories`."""

    def __init__(self, content: Record) -> None:
        self._names: dict[Key, str | None] | None = None
        if content.get("categories") is not None:
            categories = records(content, "categories")
            self._names = {identifier(c, "id", "a category"): text(c, "name", "a category") for c in categories}

    def name_of(self, annotation: Record) -> str | None:
        """Of an annotation's category; None where the JSON says none. Raises PromptError for one that is not there."""
        if self._names is None or annotation.get("category_id") is None:
            return None
        category = identifier(annotation, "category_id", "an annotation")
        if category not in self._names:
            raise PromptError(f"an annotation has category_id {shown(category)}, which is not among the categories")
        return self._names[category]


def object_of(annotation: Record, key: str) -> int:
    """An annotation's object id. Raises PromptError."""
    object_id = integer(annotation, key, "an annotation")
    if object_id < 1:
        raise PromptError(f"{key} of an annotation is {object_id}; legal: from 1 up, as 0 is where no object is")
    return object_id
