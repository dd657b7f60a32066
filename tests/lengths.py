"""Two lengths of one test: a short form for `make test`, and a long one for `make test-all`."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest


def short_and_long(
    names: str, *, short: Sequence[object], long: Sequence[object], ids: Callable[[Any], str] | None = None
) -> pytest.MarkDecorator:
    """Parametrise a test: with `short` always, with `long` under the mark `slow`.

    names: of one parameter, or of several, separated by commas; each value is then a tuple. This is the only place
    that marks a test `slow`, so each slow test has a short form that can fail for the same reason.
    """
    assert short, "a test has a short form"
    assert long, "a test without a long form is parametrised by pytest.mark.parametrize"
    several = "," in names
    always = [pytest.param(*_values(value, several)) for value in short]
    slow = [pytest.param(*_values(value, several), marks=pytest.mark.slow) for value in long]
    return pytest.mark.parametrize(names, [*always, *slow], ids=ids)


def _values(value: object, several: bool) -> tuple[object, ...]:
    if not several:
        return (value,)
    assert isinstance(value, tuple)
    return value
