"""A command's flags, made of the fields of its config class."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from jobs.options import Option, fields, flag, legal_values, option_of

Command = Callable[..., None]
Output = Annotated[str, typer.Argument(help="Folder or URL prefix that holds a run's masks.")]
NO_DEFAULTS: Mapping[str, object] = MappingProxyType({})


def flags_of(
    config: type, *, when: Callable[[Option], bool] = lambda option: True, defaults: Mapping[str, object] = NO_DEFAULTS
) -> Callable[[Command], Command]:
    """Give a command the fields of a config class as flags; a field without a default becomes an argument.

    The command is called with a config of the flags' values, and with its own further parameters, which are listed
    before the flags. when: fields that become flags. defaults: values that replace those of the fields.
    """

    def decorate(command: Command) -> Command:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        flags = [
            _parameter(name, field, defaults.get(name, field.default))
            for name, field in fields(config).items()
            if when(option_of(field))
        ]

        @functools.wraps(command)
        def run(**values: object) -> None:
            further = {parameter.name: values.pop(parameter.name) for parameter in own}
            command(config(**values), **further)

        parameters = [*own, *flags]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def flag_of(config: type, name: str, *, unset: str | None = None) -> Any:
    """The flag of one field, for a command that builds no config. unset: what None means, in place of its default."""
    field = fields(config)[name]
    return _flag(name, field, None if unset else field.default, unset=unset)


def _parameter(name: str, field: FieldInfo, default: object) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    is_argument = field.is_required()
    info = typer.Argument(help=option_of(field).help) if is_argument else _flag(name, field, default)
    annotation: Any = Annotated[_plain(field.annotation), info]
    return inspect.Parameter(
        name, kind, default=inspect.Parameter.empty if is_argument else default, annotation=annotation
    )


def _flag(name: str, field: FieldInfo, default: object, *, unset: str | None = None) -> Any:
    option = option_of(field)
    names = [flag(name)] if default is False else []  # else Typer adds --no-NAME
    told = (unset or option.unset or True) if default in (None, "") else True
    return typer.Option(*names, help=" ".join(_sentences(field)), rich_help_panel=option.panel, show_default=told)


def _sentences(field: FieldInfo) -> Iterator[str]:
    yield option_of(field).help
    if legal := legal_values(field):
        yield f"Legal: {legal}."


def _plain(annotation: Any) -> Any:
    """The type as Typer reads it: a Literal is text, since pydantic checks it together with all other options.

    So is what may be a word or a number.
    """
    parts = [part for part in get_args(annotation) if part is not NoneType]
    if get_origin(annotation) is Literal or (get_origin(annotation) in (Union, UnionType) and len(parts) > 1):
        return str
    if len(parts) < len(get_args(annotation)):
        return _plain(parts[0]) | None
    return annotation
