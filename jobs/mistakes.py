"""Words what pydantic refuses as messages of the project: the value, the legal ones, and what to do."""

from collections.abc import Callable, Iterator, Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]  # of a value: the field, then the keys and positions within it
BOUNDS = {
    "ge": "{} or more",
    "gt": "more than {}",
    "le": "at most {}",
    "lt": "less than {}",
    "multiple_of": "a multiple of {}",
    "min_length": "{} or more entries",
}
TYPES = {"int": "a whole number", "float": "a number", "string": "text", "bool": "true or false", "list": "a list"}
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def explain(
    error: ValidationError,
    *,
    name: Callable[[Location], str],
    legal: Callable[[Location], str | None] = lambda location: None,
) -> str:
    """A line for each mistake.

    name: the place of a value, as the user wrote it. legal: all legal values there, in words; None: as pydantic reports
    them.
    """
    mistakes = error.errors()
    inner = [one for one in mistakes if not any(_lies_within(other["loc"], one["loc"]) for other in mistakes)]
    return "\n".join(_explain(mistake, name=name, legal=legal) for mistake in inner)


def bounds_in(constraint: object) -> Iterator[tuple[str, float]]:
    """The bounds, with their names, of a constraint such as annotated_types.Ge(1)."""
    return ((name, getattr(constraint, name)) for name in BOUNDS if hasattr(constraint, name))


def describe_bounds(bounds: Mapping[str, float]) -> str | None:
    """Bounds in words: {"ge": 0, "le": 1} is "0 to 1". None if there are none."""
    values = {name: f"{value:.15g}" for name, value in bounds.items()}
    if values.keys() == {"ge", "le"}:
        return f"{values['ge']} to {values['le']}"
    return ", ".join(BOUNDS[name].format(value) for name, value in values.items()) or None


def _lies_within(inner: Location, outer: Location) -> bool:
    """Whether a mistake is inside a value that pydantic then reports as well."""
    return len(inner) > len(outer) > 0 and inner[: len(outer)] == outer


def _explain(mistake: ErrorDetails, *, name: Callable[[Location], str], legal: Callable[[Location], str | None]) -> str:
    location = mistake["loc"]
    if not location:  # a check of several fields together, whose message says all
        return str(mistake.get("ctx", {}).get("error", mistake["msg"]))
    if mistake["type"] in UNKNOWN:
        return f"{name(location)} is unknown; remove it or correct its name"
    if mistake["type"] == "missing":
        return f"{name(location)} is missing"
    value = "" if isinstance(mistake["input"], Mapping) else f" {mistake['input']}"
    return f"{name(location)}{value} is not usable; legal: {legal(location) or _legal_in(mistake)}"


def _legal_in(mistake: ErrorDetails) -> str:
    context = mistake.get("ctx", {})
    if "error" in context:  # the ValueError of a check of our own
        return str(context["error"]).rpartition("legal: ")[2]
    if "expected" in context:
        return str(context["expected"]).replace("'", "").replace(" or ", ", ")
    bounds = {name: context[name] for name in BOUNDS if name in context}
    return describe_bounds(bounds) or TYPES.get(mistake["type"].split("_")[0], mistake["msg"])
