"""Commands that read a run's masks: select, evaluate, export, overlay."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from jobs.cli.config_flags import Output, flags_of
from jobs.errors import ExitCode
from jobs.scores.config import EvaluateConfig
from jobs.selections.criteria import Criteria


@flags_of(Criteria)
def select(
    criteria: Criteria,
    output: Output,
    dest: Annotated[str, typer.Argument(help="Folder or URL prefix for the selection, laid out like an output.")],
) -> None:
    """Choose masks to train on, write them as a smaller output, and say why the rest was dropped."""
    from jobs.commands.select import select_output

    print(select_output(output, dest, criteria).describe())
    print(f"written to {dest}")


@flags_of(EvaluateConfig)
def evaluate(config: EvaluateConfig) -> None:
    """Score masks against the truth: J and F, as davis2017-evaluation computes them."""
    from jobs.commands.evaluate import evaluate as run_evaluate

    found = run_evaluate(config)
    print(found.text)
    if found.failures:
        raise typer.Exit(ExitCode.FAILURES)


class ExportCommand(TyperCommand):
    """`stcn export`. Its help lists the registered formats, which are imported only when the help is shown."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Complete the help of --format, and print the page."""
        from jobs.exports.formats import describe_formats

        for parameter in self.params:
            if isinstance(parameter, TyperOption) and parameter.name == "format":
                parameter.help = describe_formats()
        super().format_help(ctx, formatter)


def export(
    output: Output,
    dest: Annotated[Path, typer.Argument(help="Local folder to write to.")],
    format: Annotated[str, typer.Option(help="Format of the masks.")] = "davis",
    polygons: Annotated[bool, typer.Option("--polygons", help="Write polygons instead of RLE; coco only.")] = False,
    frames: Annotated[bool, typer.Option("--frames", help="Write the frames that have masks, too, as JPEG.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Write this video alone. Repeatable.", show_default="all that are done")
    ] = None,
) -> None:
    """Write masks in another tool's format. Run it again to resume."""
    from jobs.commands.export import export_output
    from jobs.errors import printable
    from stcn_core.acceleration.allocator import keeping_freed_memory

    with keeping_freed_memory():  # taking memory anew for each batch takes half of the time
        exported = export_output(output, dest, format, polygons=polygons, frames=frames, only=only)
    print(f"{exported.masks} masks" + (f" and {exported.frames} frames" if frames else "") + f" in {dest}")
    for video_id, problem in {**exported.warnings, **exported.failures}.items():
        print(printable(f"{video_id}: {problem}"), file=sys.stderr)
    if exported.failures:
        raise typer.Exit(ExitCode.FAILURES)


def overlay(
    output: Output,
    dest: Annotated[Path, typer.Argument(help="Folder to write MP4s to.")],
    only: Annotated[
        list[str] | None, typer.Option(help="Draw this video alone. Repeatable.", show_default="all that are done")
    ] = None,
) -> None:
    """Draw the masks over their videos, as MP4."""
    from jobs.commands.overlay import overlay_output
    from jobs.errors import printable

    complete = True
    for video_id, result in overlay_output(output, dest, only or ()):
        complete &= isinstance(result, Path)
        print(result if isinstance(result, Path) else printable(f"{video_id}: {result}"))
    if not complete:
        raise typer.Exit(ExitCode.FAILURES)
