"""An option is declared once: a field of a config class carries its type, default, legal values and help text.

`jobs.cli.options` makes flags of the fields, `config_class` has pydantic check them, and `explain` words the mistakes.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, TypeVar, dataclass_transform, get_args, get_origin

from pydantic import AfterValidator, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, core_schema
from pydantic_core.core_schema import no_info_after_validator_function

from jobs.errors import UserError

Config = TypeVar("Config")
Location = tuple[int | str, ...]  # of a value: the field, and the keys and positions within it
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


@dataclass(frozen=True)
class Option:
    """Help for one option, beside its type and bounds: `Annotated[int | None, Field(ge=1), Option("...")]`."""

    help: str  # one or two sentences, with the unit; `--help` appends the legal values and the default
    panel: str | None = None  # heading in `--help`
    _: KW_ONLY
    unset: str | None = None  # the value that None or an empty text stands for, in words
    legal: str | None = None  # legal values in words, where type and bounds do not say them
    names: Callable[[], Iterable[str]] | None = None  # legal values that a registry knows, beside None
    run_only: bool = False  # `stcn plan` lacks the option: it changes how a run goes, not what there is to do

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Have pydantic check the value against `names`."""
        schema = handler(source)
        return no_info_after_validator_function(self._check_name, schema) if self.names else schema

    def _check_name(self, value: str | None) -> str | None:
        if value is not None and self.names and value not in self.names():
            raise ValueError("no such name")
        return value


def zero_or(least: int) -> AfterValidator:
    """Accept None, 0, which switches a bound off, and values from `least` on."""

    def check(value: int | None) -> int | None:
        if value is not None and value != 0 and value < least:
            raise ValueError(f"legal: {least} or more, or 0")
        return value

    return AfterValidator(check)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def config_class(cls: type[Config]) -> type[Config]:
    """Make a frozen dataclass whose fields pydantic checks. One UserError tells all mistakes."""
    checked: Any = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))(cls)
    check = checked.__init__

    @functools.wraps(check)
    def create(self: Config, **values: object) -> None:
        try:
            check(self, **values)
        except ValidationError as error:
            raise UserError(explain(error, lambda location: flag(str(location[0])), fields(checked))) from error

    checked.__init__ = create
    return checked  # type: ignore[no-any-return]


def fields(config: Any) -> dict[str, FieldInfo]:
    """The declarations of a config class, by name."""
    return dict(config.__pydantic_fields__)


def option_of(field: FieldInfo) -> Option:
    """The help that a field declares."""
    return next(item for item in field.metadata if isinstance(item, Option))


def flag(name: str) -> str:
    """A field as the flag that sets it."""
    return f"--{name.replace('_', '-')}"


def legal_values(field: FieldInfo) -> str | None:
    """The legal values of an option in words; None where its type says all."""
    option = option_of(field)
    choices = [str(name) for part in (field.annotation, *get_args(field.annotation)) for name in _literals(part)]
    choices += option.names() if option.names else ()
    bounds = {name: getattr(item, name) for item in field.metadata for name in BOUNDS if hasattr(item, name)}
    return option.legal or ", ".join(choices) or _in_words(bounds)


def explain(error: ValidationError, name: Callable[[Location], str], known: Mapping[str, FieldInfo] = {}) -> str:
    """A line for each mistake: the value, the legal ones, and what to do.

    name: words a place, as the user wrote it. known: declarations of options, whose legal values are told in full.
    """
    mistakes = error.errors()
    inner = [one for one in mistakes if not any(_lies_within(other["loc"], one["loc"]) for other in mistakes)]
    return "\n".join(_explain(mistake, name, known) for mistake in inner)


def _lies_within(inner: Location, outer: Location) -> bool:
    """Whether a mistake is inside a value that pydantic then reports as well."""
    return len(inner) > len(outer) > 0 and inner[: len(outer)] == outer


def _explain(mistake: ErrorDetails, name: Callable[[Location], str], known: Mapping[str, FieldInfo]) -> str:
    kind, location, context = mistake["type"], mistake["loc"], mistake.get("ctx", {})
    if not location:  # a check of several fields together
        return str(context.get("error", mistake["msg"]))
    if kind in UNKNOWN:
        return f"{name(location)} is unknown; remove it or correct its name"
    if kind == "missing":
        return f"{name(location)} is missing"
    declared = known.get(str(location[0]))
    legal = legal_values(declared) if declared else None
    return f"{name(location)} {mistake['input']} is not usable; legal: {legal or _legal_in(mistake)}"


def _legal_in(mistake: ErrorDetails) -> str:
    """The legal values as pydantic reports them."""
    context = mistake.get("ctx", {})
    if "error" in context:
        return str(context["error"]).removeprefix("legal: ")
    if "expected" in context:
        return str(context["expected"]).replace("'", "").replace(" or ", ", ")
    bounds = {name: context[name] for name in BOUNDS if name in context}
    return _in_words(bounds) or TYPES.get(mistake["type"].split("_")[0], mistake["msg"])


def _in_words(bounds: Mapping[str, float]) -> str | None:
    values = {name: f"{value:.15g}" for name, value in bounds.items()}
    if values.keys() == {"ge", "le"}:
        return f"{values['ge']} to {values['le']}"
    return ", ".join(BOUNDS[name].format(value) for name, value in values.items()) or None


def _literals(annotation: object) -> tuple[object, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()
