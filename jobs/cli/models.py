"""Commands about networks: train one, see one at work, time one."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli import options
from jobs.errors import ExitCode, UserError


def train(
    output: Annotated[str, typer.Argument(help="The model to write, .safetensors.")],
    config: Annotated[str, typer.Option(help="A recipe: mini, long, finetune, stcn, or a file.")] = "mini",
    data: Annotated[list[str] | None, typer.Option(help="Videos with masks: a tree, or an output. Repeatable.")] = None,
    textures: Annotated[str, typer.Option(help="A folder of pictures to draw with; those with alpha are things.")] = "",
    init: Annotated[str, typer.Option(help="A model, or a ResNet, to begin with. (default: random weights)")] = "",
    steps: Annotated[int | None, typer.Option(help="In place of the recipe's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Its peak, in place of the recipe's.")] = None,
    clips: Annotated[int | None, typer.Option(help="A step, in place of the recipe's; fewer of larger frames.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and clips.")] = 0,
    checkpoint: Annotated[str, typer.Option(help="Resumed if it is there. (default: beside the output)")] = "",
    stop_after: Annotated[int, typer.Option(help="End after this step all the same; 0: do not.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(help="Parts of a batch that are computed side by side, on a CPU.")] = 2,
    processes: Annotated[int, typer.Option(help="That train side by side, on a GPU each; a batch of each a step.")] = 1,
    makers: Annotated[int, typer.Option(help="Processes that make batches; 0: clips are drawn on the device.")] = 1,
    log_every: Annotated[int, typer.Option(help="Steps between lines of the log.")] = 50,
    checkpoint_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 250,
    evaluate_every: Annotated[int, typer.Option(help="Steps between evaluations.")] = 1000,
    evaluate_clips: Annotated[int, typer.Option(help="Of the 20 fixed ones, while training.")] = 4,
    final_clips: Annotated[int, typer.Option(help="Of the 20 fixed ones, at the end; 0: none.")] = 20,
) -> None:
    """Train a model, on clips that are drawn for it or on videos with masks. Run it again to resume."""
    given = locals()

    from jobs.commands.train import train as run_training
    from jobs.training.config import TrainingConfig

    lines = sys.stdout  # of JSON alone: with several processes, what Ray says of itself goes to stderr
    run_training(TrainingConfig(**given), lambda line: print(json.dumps(line), file=lines, flush=True))


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")] = Path("demo"),
    actors: Annotated[int, typer.Option(help="Processes with a model each.")] = 2,
) -> None:
    """Draw a small archive with known masks, segment it, and show what comes out."""
    from jobs.commands.demo import run_demo

    run_demo(folder, actors)


def bench(
    cases: Annotated[list[str] | None, typer.Argument(help="What to time. (default: all)")] = None,
    device: options.Device = "auto",
    actors: Annotated[int, typer.Option(help="The case `actors` times 1 to this many.")] = 2,
    repeats: Annotated[int, typer.Option(help="Timings of each run, in turn; the median counts.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    check: Annotated[bool, typer.Option("--check", help="End with 1 if a figure is behind its budget.")] = False,
) -> None:
    """Time the product beside the published way, and hold it to its budget."""
    from jobs.commands.bench import bench as run_bench
    from stcn_core.acceleration.allocator import keep_freed_memory

    keep_freed_memory()  # as actors do
    try:
        late = run_bench(cases or [], device, actors, repeats=repeats, as_json=json)
    except ValueError as error:
        raise UserError(str(error)) from error
    if check and late:
        raise typer.Exit(ExitCode.FATAL)
