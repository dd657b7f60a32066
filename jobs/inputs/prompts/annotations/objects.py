"""The objects of COCO-like annotations: which annotations are of one, their ids and their names."""

from collections import Counter
from collections.abc import Sequence

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations.fields import Key, Record, identifier, integer, records, shown, text
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.records import Entry

# The first key that is there is used, also among the `attributes` that CVAT writes. Without any of them each annotation
# is an object of its own.
OBJECT_KEYS = ("track_id", "instance_id", "object_id")


def without_crowds(annotations: Sequence[Record], entry: Entry, builder: PromptBuilder) -> list[Record]:
    """Leave out regions of many objects, which COCO marks with iscrowd, unless `void` is none.

    Raises PromptError if all are marked: some tools mark every mask that is an RLE.
    """
    own = [annotation for annotation in annotations if annotation.get("iscrowd") not in (1, True)]
    if entry.void == 0 or len(own) == len(annotations):
        return list(annotations)
    if not own:
        raise PromptError(
            f"all {len(annotations)} annotations of the video have iscrowd 1, which marks regions of many objects. If "
            "each is of one object, say so in the manifest's column void: none"
        )
    crowds = len(annotations) - len(own)
    builder.note(f"annotations with iscrowd 1, each a region of many objects, are left out: {crowds}")
    return own


class ObjectIds:
    """The object ids of a video's annotations."""

    def __init__(self, own: Sequence[Record], everything: Sequence[Record], builder: PromptBuilder) -> None:
        """own: annotations of the video. everything: all of the file, which decide together whether ids begin with 0.

        Raises PromptError if only some of the video's annotations have a key.
        """
        self.key = _object_key(own)
        given = [value for a in everything if type(value := _value(a, self.key)) is int]
        self._is_from_zero = 0 in given
        if self.key == "id":
            _refuse_equal_ids(own)
        if self._is_from_zero and own:
            builder.note(f"{self.key} counts from 0, and is read one higher: object 1 is {self.key} 0")
        frames = {a.get("image_id") for a in own if isinstance(a.get("image_id"), (int, str))}
        if self.key == "id" and len(frames) > 1:
            builder.note(
                f"no annotation has {', '.join(OBJECT_KEYS)}, so each of {len(own)} is an object of its own, also "
                "where it shows one of another frame"
            )

    def of(self, annotation: Record) -> int:
        """The id of an annotation's object. Raises PromptError."""
        object_id = integer({self.key: _value(annotation, self.key)}, self.key, "an annotation")
        if object_id < (0 if self._is_from_zero else 1):
            raise PromptError(f"{self.key} of an annotation is {object_id}; legal: from 1 up, or from 0 up")
        return object_id + self._is_from_zero


def _refuse_equal_ids(annotations: Sequence[Record]) -> None:
    """Annotations that are objects of their own have ids of their own. Raises PromptError."""
    counts = Counter(str(annotation.get("id")) for annotation in annotations)
    if twice := next((value for value, count in counts.items() if count > 1), None):
        raise PromptError(
            f"several annotations have the id {shown(twice)}; legal: an id for each, or {', '.join(OBJECT_KEYS)} where "
            "several are of one object"
        )


def _object_key(annotations: Sequence[Record]) -> str:
    """The key that holds the object ids of a video. Raises PromptError if only some annotations have it."""
    for key in OBJECT_KEYS:
        having = sum(_value(annotation, key) is not None for annotation in annotations)
        if having and having < len(annotations):
            raise PromptError(
                f"of the video's {len(annotations)} annotations {having} have {key}; legal: all, or none, where each "
                "annotation's id is an object's"
            )
        if having:
            return key
    return "id"


def _value(annotation: Record, key: str) -> object:
    """An annotation's own value of a key, or the one among its attributes. Raises PromptError if the two differ."""
    attributes = annotation.get("attributes")
    inner = attributes.get(key) if isinstance(attributes, dict) and key != "id" else None
    outer = annotation.get(key)
    if inner is not None and outer is not None and inner != outer:
        raise PromptError(
            f"{key} of annotation {shown(annotation.get('id'))} is {shown(outer)}, and {shown(inner)} in its "
            "attributes; legal: the same"
        )
    return inner if outer is None else outer


class Categories:
    """The names in a JSON's `categories`."""

    def __init__(self, content: Record) -> None:
        self._names: dict[Key, str | None] | None = None
        if content.get("categories"):
            categories = records(content, "categories")
            ids = [identifier(c, "id", "a category") for c in categories]
            if len(set(ids)) < len(ids):
                raise PromptError("categories of the JSON have the same id; legal: an id for each")
            self._names = {identifier(c, "id", "a category"): text(c, "name", "a category") for c in categories}

    def name_of(self, annotation: Record) -> str | None:
        """The name of an annotation's category, or None if it has none. Raises PromptError for an unknown category."""
        if self._names is None or annotation.get("category_id") is None:
            return None
        category = identifier(annotation, "category_id", "an annotation")
        if category not in self._names:
            raise PromptError(
                f"an annotation has category_id {shown(category)}, which is not among the categories"
                f"{other_type(category, self._names)}"
            )
        return self._names[category]


def other_type(key: Key, known: Sequence[Key] | dict[Key, str | None]) -> str:
    """A hint for a message where a text stands for a number, or a number for a text; empty otherwise."""
    if any(str(other) == str(key) for other in known):
        return f": it is a {'text' if isinstance(key, str) else 'number'} here, and not there"
    return ""
