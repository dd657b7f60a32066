"""Commands that train a network, show it at work, and time it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.config_flags import flags_of
from jobs.errors import ExitCode, UserError
from jobs.training.config import TrainingConfig


@flags_of(TrainingConfig)
def train(config: TrainingConfig) -> None:
    """Train a model on drawn clips or on videos with masks. Run it again to resume."""
    from jobs.commands.train import train as run_training

    lines = sys.stdout  # JSON lines only: with several processes, Ray's own messages go to stderr
    run_training(config, lambda line: print(json.dumps(line), file=lines, flush=True))


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")] = Path("demo"),
    actors: Annotated[int, typer.Option(help="Actors: processes that each hold a model.")] = 2,
) -> None:
    """Draw a small archive with known masks, segment it, and show what comes out."""
    from jobs.commands.demo import run_demo

    run_demo(folder, actors)


def bench(
    cases: Annotated[list[str] | None, typer.Argument(help="Cases to time.", show_default="all")] = None,
    device: Annotated[str, typer.Option(help="Where networks run. Legal: auto, cpu, cuda.")] = "auto",
    actors: Annotated[int, typer.Option(help="The case `actors` times runs with 1 to this many actors.")] = 2,
    repeats: Annotated[int, typer.Option(help="Time each run this many times; the median counts.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if a figure misses its budget.")] = False,
) -> None:
    """Time the product beside the published way, and hold it to its budget."""
    from jobs.commands.bench import bench as run_bench

    try:
        late = run_bench(cases or [], device, actors, repeats=repeats, as_json=json)
    except ValueError as error:
        raise UserError(str(error)) from error
    if check and late:
        raise typer.Exit(ExitCode.FATAL)
