"""One field declares an option: its flag, its default, its check and its help. All mistakes are told at once."""

import dataclasses
from typing import Annotated, Literal

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from jobs.cli.options import flags_of
from jobs.errors import UserError
from jobs.options import Option, config_class, fields, legal_values, zero_or

COLOURS = ["red"]


@config_class
class Paint:
    """A config class with an option of each kind."""

    wall: Annotated[str, Option("Wall to paint.")]
    coats: Annotated[int | None, Field(ge=1), Option("Layers.", "Work", unset="as many as needed")] = None
    share: Annotated[float, Field(ge=0, le=1), Option("Share of the wall.", "Work")] = 0.5
    speed: Annotated[float, Field(gt=0, lt=9), Option("Metres per minute.", "Work", run_only=True)] = 2.0
    finish: Annotated[Literal["matt", "gloss"] | None, Option("Surface.")] = None
    colour: Annotated[str | None, Option("Name of a colour.", names=lambda: COLOURS)] = None
    pause: Annotated[int, zero_or(5), Option("Minutes between layers.", legal="5 or more; 0: none")] = 0
    rooms: Annotated[list[str] | None, Option("Room. Repeatable.")] = None
    quick: Annotated[bool, Option("Skip the primer.")] = False
    tape: Annotated[bool, Option("Cover the edges.")] = True


def run(*arguments: str) -> tuple[list[Paint], str]:
    """The configs that a command built from flags was called with, and what it printed."""
    app, built = typer.Typer(), list[Paint]()

    @flags_of(Paint)
    def paint(config: Paint) -> None:
        """Paint."""
        built.append(config)

    app.command()(paint)
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    if isinstance(result.exception, UserError):
        raise result.exception
    return built, result.output


def test_flags_set_fields() -> None:
    flags = "--coats 2 --share 1 --finish gloss --colour red --pause 5 --rooms hall --rooms attic --quick --no-tape"
    expected = Paint(
        wall="north", coats=2, share=1.0, finish="gloss", colour="red", pause=5, rooms=["hall", "attic"],
        quick=True, tape=False,
    )  # fmt: skip
    assert run("north", *flags.split()) == ([expected], "")
    assert run("north")[0] == [Paint(wall="north")]


def test_help_tells_legal_values_and_defaults() -> None:
    _, text = run("--help")
    lines = {line.split()[1]: " ".join(line.split()[1:]) for line in text.splitlines() if "--" in line}
    assert "Layers. Legal: 1 or more. [default: (as many as needed)]" in lines["--coats"]
    assert "Surface. Legal: matt, gloss." in lines["--finish"]
    assert "Name of a colour. Legal: red." in lines["--colour"]
    assert "--no-quick" not in text
    assert "--no-tape" in text
    assert "─ Work ─" in text


def test_a_subset_of_the_fields_and_other_defaults_make_a_second_command() -> None:
    @flags_of(Paint, when=lambda option: not option.run_only, defaults={"coats": 1})
    def estimate(config: Paint, currency: str = "EUR") -> None:
        """Estimate."""
        built.append((config, currency))

    built: list[tuple[Paint, str]] = []
    app = typer.Typer()
    app.command()(estimate)
    assert CliRunner().invoke(app, ["north", "--currency", "CHF"]).exit_code == 0
    assert built == [(Paint(wall="north", coats=1), "CHF")]
    assert CliRunner().invoke(app, ["north", "--speed", "1"]).exit_code == 2


def test_all_mistakes_are_told_at_once() -> None:
    mistakes = "--coats 0 --share 2 --speed 9 --finish wax --colour blue --pause 3"
    with pytest.raises(UserError) as raised:
        run("north", *mistakes.split())
    assert str(raised.value).splitlines() == [
        "--coats 0 is not usable; legal: 1 or more",
        "--share 2.0 is not usable; legal: 0 to 1",
        "--speed 9.0 is not usable; legal: more than 0, less than 9",
        "--finish wax is not usable; legal: matt, gloss",
        "--colour blue is not usable; legal: red",
        "--pause 3 is not usable; legal: 5 or more; 0: none",
    ]


def test_unknown_missing_and_mistyped_options_are_named() -> None:
    with pytest.raises(UserError) as raised:
        Paint(coats="two", tape="maybe", brush=1)  # type: ignore[arg-type, call-arg]
    assert sorted(str(raised.value).splitlines()) == [
        "--brush is unknown; remove it or correct its name",
        "--coats two is not usable; legal: 1 or more",
        "--tape maybe is not usable; legal: true or false",
        "WALL is missing",
    ]


def test_nan_is_within_no_bounds() -> None:
    with pytest.raises(UserError, match="--share nan is not usable; legal: 0 to 1"):
        Paint(wall="north", share=float("nan"))


def test_a_name_registered_later_becomes_legal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.jobs.test_options.COLOURS", ["red", "blue"])
    assert Paint(wall="north", colour="blue").colour == "blue"
    assert legal_values(fields(Paint)["colour"]) == "red, blue"


def test_a_changed_copy_is_checked_too_and_no_field_can_be_set() -> None:
    config = Paint(wall="north")
    with pytest.raises(UserError, match="--coats -1"):
        dataclasses.replace(config, coats=-1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.coats = 2  # type: ignore[misc]
