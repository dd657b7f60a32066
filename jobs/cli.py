"""The `stcn` command. Each command builds one config and calls one function."""

import dataclasses
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from jobs import interrupt, options
from jobs.config import SegmentConfig
from jobs.errors import FatalError, UserError

app = typer.Typer(
    name="stcn",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

FATAL, USAGE, FAILURES, INTERRUPTED = 1, 2, 3, 130  # exit codes; 0: all done


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(version("stcn"))
        raise typer.Exit


@app.callback()
def every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Segment objects in video archives: masks of a few frames in, masks of every frame out."""


@app.command()
def segment(
    manifest: options.Manifest,
    output: options.Output,
    model: options.Model = "stcn-mini",
    model_sha256: options.Sha256 = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    actors: options.Actors = None,
    num_gpus_per_actor: options.Gpus = None,
    threads_per_actor: options.Threads = None,
    memory_every: options.MemoryEvery = None,
    top_k: options.TopK = None,
    include_last: options.IncludeLast = None,
    max_memory_frames: options.MaxMemoryFrames = None,
    memory_policy: options.MemoryPolicy = None,
    direction: options.Direction = "forward",
    on_cut: options.OnCut = "keep",
    cycle_check: options.CycleCheck = False,
    short_side: options.ShortSide = 480,
    frames_per_shard: options.FramesPerShard = 4000,
    max_attempts: options.MaxAttempts = 3,
    max_failures: options.MaxFailures = None,
    strict: options.Strict = False,
    max_pixels: options.MaxPixels = SegmentConfig.max_pixels,
    max_frames: options.MaxFrames = SegmentConfig.max_frames,
    stall_seconds: options.StallSeconds = SegmentConfig.stall_seconds,
    max_video_seconds: options.MaxVideoSeconds = SegmentConfig.max_video_seconds,
    memory_per_actor: options.Memory = None,
    allow: options.Allow = None,
    single_writer: options.SingleWriter = False,
    storage_patience: options.StoragePatience = SegmentConfig.storage_patience,
) -> None:
    """Propagate the prompts of every video through all of its frames. Run it again to resume."""
    _run_segment(SegmentConfig(**locals()))


@app.command()
def retry(
    output: options.Output,
    only: Annotated[
        list[str] | None, typer.Option(help="Class of error, such as Crash; may be repeated. (default: all)")
    ] = None,
    actors: options.Actors = None,
) -> None:
    """Take videos out of quarantine and try them again, with the options of the output's last run."""
    from jobs.last_run import read_config

    config = read_config(output)
    _run_segment(dataclasses.replace(config, actors=actors or config.actors), only or [])


def _run_segment(config: SegmentConfig, only: list[str] | None = None) -> None:
    from jobs.driver import run
    from jobs.progress import reporter
    from jobs.status import summarise

    rows = run(config, reporter(), only)
    print(summarise(rows, config.output))
    if any(row.status == "quarantined" for row in rows):
        raise typer.Exit(FAILURES)


@app.command()
def plan(
    manifest: options.Manifest,
    output: options.Output,
    model: options.Model = "stcn-mini",
    model_sha256: options.Sha256 = None,
    precision: options.Precision = "auto",
    actors: Annotated[int, typer.Option(help="Actors to plan for.")] = 1,
    memory_every: options.MemoryEvery = None,
    top_k: options.TopK = None,
    include_last: options.IncludeLast = None,
    max_memory_frames: options.MaxMemoryFrames = None,
    memory_policy: options.MemoryPolicy = None,
    direction: options.Direction = "forward",
    on_cut: options.OnCut = "keep",
    cycle_check: options.CycleCheck = False,
    short_side: options.ShortSide = 480,
    frames_per_shard: options.FramesPerShard = 4000,
    strict: options.Strict = False,
    allow: options.Allow = None,
) -> None:
    """Show what `segment` would do, without doing it."""
    config = SegmentConfig(**locals())

    from jobs.job import prepare
    from jobs.status import describe_plan

    job = prepare(config)
    job.ledger.forget_lost()
    print(describe_plan(job.shards(actors), job.rows(), job.outdated()))


@app.command()
def status(output: options.Output) -> None:
    """Say how far a run is, from storage alone."""
    from jobs.status import read_status, summarise

    print(summarise(read_status(output), output))


@app.command()
def verify(output: options.Output) -> None:
    """Prove from storage that nothing is lost, twice or altered; ends with 1 if something is."""
    from jobs.commands.verify import describe
    from jobs.commands.verify import verify as find_problems

    found = find_problems(output)
    print(describe(found, output))
    if found.problems:
        raise typer.Exit(FATAL)


@app.command()
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


@app.command()
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


@app.command()
def export(
    output: options.Output,
    dest: Annotated[Path, typer.Argument(help="Local folder to write to.")],
    format: Annotated[str, typer.Option(help="coco, ytvis, davis, sav, yolo or hf; see docs/EXPORT.md.")] = "davis",
    polygons: Annotated[bool, typer.Option("--polygons", help="Polygons in place of RLE, with coco.")] = False,
    frames: Annotated[bool, typer.Option("--frames", help="Also the frames that have masks, as JPEG.")] = False,
) -> None:
    """Write masks in the formats of others. Run it again to resume."""
    from jobs.commands.export import export_output
    from jobs.status import shown
    from stcn_core.allocator import keep_memory_in_large_pages

    keep_memory_in_large_pages()  # what is given back is taken again for each batch: half of the time of an export
    exported = export_output(output, dest, format, polygons, frames)
    print(f"{exported.masks} masks" + (f" and {exported.frames} frames" if frames else "") + f" in {dest}")
    for video_id, problem in {**exported.warnings, **exported.failures}.items():
        print(shown(f"{video_id}: {problem}"), file=sys.stderr)
    if exported.failures:
        raise typer.Exit(FAILURES)


@app.command()
def overlay(output: options.Output, dest: Annotated[Path, typer.Argument(help="Folder to write MP4s to.")]) -> None:
    """Draw the masks over their videos, as MP4."""
    from jobs.commands.overlay import overlay_output
    from jobs.status import shown

    complete = True
    for video_id, result in overlay_output(output, dest):
        complete &= isinstance(result, Path)
        print(result if isinstance(result, Path) else shown(f"{video_id}: {result}"))
    if not complete:
        raise typer.Exit(FAILURES)


@app.command()
def train(
    output: Annotated[str, typer.Argument(help="The model to write, .safetensors.")],
    config: Annotated[str, typer.Option(help="A recipe: mini, finetune, stcn, or a file.")] = "mini",
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

    run_training(TrainingConfig(**given), lambda line: print(json.dumps(line), flush=True))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")] = Path("demo"),
    actors: Annotated[int, typer.Option(help="Processes with a model each.")] = 2,
) -> None:
    """Draw a small archive with known masks, segment it, and show what comes out."""
    from jobs.commands.demo import run_demo

    run_demo(folder, actors)


@app.command()
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

    try:
        late = run_bench(cases or [], device, actors, repeats, json)
    except ValueError as error:
        raise UserError(str(error)) from error
    if check and late:
        raise typer.Exit(FATAL)


def main(args: list[str] | None = None) -> None:
    """Run the command; turn a user's mistakes into messages, and outcomes into exit codes."""
    interrupt.listen()
    code = _run(args)
    if code == INTERRUPTED:
        print("interrupted; what was finished is kept, and the same command goes on from there", file=sys.stderr)
    sys.exit(code)


def _run(args: list[str] | None) -> int:
    try:
        app(args=args)
    except SystemExit as done:  # Typer's way to end, with 2 for a usage error and 130 for an interrupt
        return int(done.code or 0)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE
    except (FatalError, OSError) as error:
        print(f"fatal: {error}", file=sys.stderr)
        return FATAL
    return 0


if __name__ == "__main__":
    main()
