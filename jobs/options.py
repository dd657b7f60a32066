"""An option is declared once: a field of a config class carries its type, default, legal values and help text.

`jobs.cli.config_flags` makes flags of the fields, and `config_class` has pydantic check them.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, TypeVar, dataclass_transform, get_args, get_origin

from pydantic import AfterValidator, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic.fields import FieldInfo
from pydantic_core import core_schema
from pydantic_core.core_schema import no_info_after_validator_function

from jobs.errors import UserError
from jobs.validation_errors import Location, bounds_in, describe_bounds, explain

Config = TypeVar("Config")


@dataclass(frozen=True)
class Option:
    """Help for one option, beside its type and bounds: `Annotated[int | None, Field(ge=1), Option("...")]`."""

    help: str  # one or two sentences, with the unit; `--help` appends the legal values and the default
    panel: str | None = None  # heading in `--help`
    _: KW_ONLY
    unset: str | None = None  # the value that None or an empty text stands for, in words
    legal: str | None = None  # legal values in words, where type and bounds do not say them
    names: Callable[[], Iterable[str]] | None = None  # legal values that a registry knows, beside None
    per_video: bool = False  # a column of its name in the manifest sets it for a single video
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
            raise ValueError(f"{least} or more, or 0")
        return value

    return AfterValidator(check)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def config_class(cls: type[Config]) -> type[Config]:
    """Make a frozen dataclass whose fields pydantic checks. One UserError tells all mistakes."""
    checked: Any = pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))(cls)
    check, known = checked.__init__, fields(checked)

    def name(location: Location) -> str:
        """An option as a command line has it: a flag, or an argument such as OUTPUT."""
        field = str(location[0])
        return field.upper() if field in known and known[field].is_required() else flag(field)

    def legal(location: Location) -> str | None:
        return legal_values(known[str(location[0])])

    @functools.wraps(check)
    def create(self: Config, **values: object) -> None:
        try:
            check(self, **values)
        except ValidationError as error:
            raise UserError(explain(error, name=name, legal=legal)) from error

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
    bounds = [bound for item in field.metadata for bound in bounds_in(item)]
    return option.legal or ", ".join(choices) or describe_bounds(dict(bounds))


def _literals(annotation: object) -> tuple[object, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()
