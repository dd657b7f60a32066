"""Commands that make something of a run's masks."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli import options
from jobs.errors import ExitCode


def select(
    output: options.Output,
    dest: Annotated[str, typer.Argument(help="Folder or URL prefix for the selection, laid out as an output is.")],
    min_score: Annotated[float | None, typer.Option(help="Of each mask, 0 to 1.")] = None,
    min_stability: Annotated[float | None, typer.Option(help="Of each mask, 0 to 1.")] = None,
    min_cycle: Annotated[float | None, typer.Option(help="Of each mask's object, 0 to 1.")] = None,
    min_area: Annotated[int | None, typer.Option(help="Of each mask, in pixels.")] = None,
    min_trust: Annotated[
        float | None, typer.Option(help="Of each mask: an estimate of its IoU with the truth.")
    ] = None,
    best: Annotated[float | None, typer.Option(help="This share of what passes the rest: the most trusted.")] = None,
    max_per_video: Annotated[int | None, typer.Option(help="Frames (or masks), trusted and spread over it.")] = None,
    every: Annotated[int | None, typer.Option(help="Each Nth frame, from a video's first on.")] = None,
    unit: Annotated[
        str, typer.Option(help="frame: whole frames or none of their masks; mask: each for itself.")
    ] = "frame",
    prompts: Annotated[bool, typer.Option(help="Keep what was prompted.")] = True,
    events: Annotated[bool, typer.Option(help="Keep frames on which an object drifted or vanished.")] = True,
) -> None:
    """Choose masks to train on, write them as a smaller output, and say why the rest was dropped."""
    given = {name: value for name, value in locals().items() if name not in ("output", "dest")}

    from jobs.commands.select import select_output
    from jobs.selections.criteria import Criteria

    print(select_output(output, dest, Criteria(**given)).describe())
    print(f"written to {dest}")


def evaluate(
    output: Annotated[str, typer.Argument(help="A run's output, a selection, or a folder that --scores wrote.")],
    truth: Annotated[str | None, typer.Option(help="DAVIS or YouTube-VOS tree, or a folder of PNGs a video.")] = None,
    protocol: Annotated[str, typer.Option(help="Frames that count: davis, youtube-vos, or auto, the tree's.")] = "auto",
    void: Annotated[str, typer.Option(help="Pixels of 255 beside other ids: ignore, or background.")] = "ignore",
    workers: Annotated[int | None, typer.Option(help="Videos that are scored side by side. (default: CPUs)")] = None,
    scores: Annotated[str | None, typer.Option(help="Folder to write frames.parquet and objects.parquet to.")] = None,
    against: Annotated[str | None, typer.Option(help="Another output or folder of scores, to compare with.")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="Tell how well the masks' columns predict J.")] = False,
    combine: Annotated[list[str] | None, typer.Option(help="Columns such as score+stability, for --trust.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score masks against the truth: J and F, as davis2017-evaluation computes them."""
    given = locals()

    from jobs.commands.evaluate import EvaluateConfig
    from jobs.commands.evaluate import evaluate as run_evaluate

    print(run_evaluate(EvaluateConfig(**given)))


def export(
    output: options.Output,
    dest: Annotated[Path, typer.Argument(help="Local folder to write to.")],
    format: Annotated[str, typer.Option(help="coco, ytvis, davis, sav, yolo or hf; see docs/EXPORT.md.")] = "davis",
    polygons: Annotated[bool, typer.Option("--polygons", help="Polygons in place of RLE, with coco.")] = False,
    frames: Annotated[bool, typer.Option("--frames", help="Also the frames that have masks, as JPEG.")] = False,
) -> None:
    """Write masks in the formats of others. Run it again to resume."""
    from jobs.commands.export import export_output
    from jobs.errors import printable
    from stcn_core.acceleration.allocator import keep_freed_memory

    keep_freed_memory()  # the process is the command's own; taking memory anew for each batch takes half of the time
    exported = export_output(output, dest, format, polygons=polygons, frames=frames)
    print(f"{exported.masks} masks" + (f" and {exported.frames} frames" if frames else "") + f" in {dest}")
    for video_id, problem in {**exported.warnings, **exported.failures}.items():
        print(printable(f"{video_id}: {problem}"), file=sys.stderr)
    if exported.failures:
        raise typer.Exit(ExitCode.FAILURES)


def overlay(output: options.Output, dest: Annotated[Path, typer.Argument(help="Folder to write MP4s to.")]) -> None:
    """Draw the masks over their videos, as MP4."""
    from jobs.commands.overlay import overlay_output
    from jobs.errors import printable

    complete = True
    for video_id, result in overlay_output(output, dest):
        complete &= isinstance(result, Path)
        print(result if isinstance(result, Path) else printable(f"{video_id}: {result}"))
    if not complete:
        raise typer.Exit(ExitCode.FAILURES)
