"""Commands that begin, plan and look after a run."""

import dataclasses
from typing import Annotated

import typer

from jobs.cli import options
from jobs.errors import ExitCode
from jobs.planning.config import SegmentConfig


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
    verify_downloads: options.VerifyDownloads = False,
) -> None:
    """Propagate the prompts of every video through all of its frames. Run it again to resume."""
    _run_segment(SegmentConfig(**locals()))


def retry(
    output: options.Output,
    only: Annotated[
        list[str] | None, typer.Option(help="Class of error, such as Crash; may be repeated. (default: all)")
    ] = None,
    actors: options.Actors = None,
) -> None:
    """Take videos out of quarantine and try them again, with the options of the output's last run."""
    from jobs.planning.run_record import read_config

    config = read_config(output)
    _run_segment(dataclasses.replace(config, actors=actors or config.actors), only or [])


def _run_segment(config: SegmentConfig, only: list[str] | None = None) -> None:
    from jobs.run.driver import run
    from jobs.run.progress import reporter
    from jobs.run.status import summarise

    rows = run(config, reporter(), only)
    print(summarise(rows, config.output))
    if any(row.status == "quarantined" for row in rows):
        raise typer.Exit(ExitCode.FAILURES)


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

    from jobs.planning.job import prepare_job
    from jobs.run.status import describe_plan

    job = prepare_job(config)
    job.ledger.forget_lost()
    print(describe_plan(job.shards(actors), job.rows(), job.outdated()))


def status(output: options.Output) -> None:
    """Say how far a run is, from storage alone."""
    from jobs.planning.run_record import read_video_rows
    from jobs.run.status import summarise

    print(summarise(read_video_rows(output), output))


def verify(output: options.Output) -> None:
    """Prove from storage that nothing is lost, twice or altered; ends with 1 if something is."""
    from jobs.commands.verify import describe
    from jobs.commands.verify import verify as find_problems

    found = find_problems(output)
    print(describe(found, output))
    if found.problems:
        raise typer.Exit(ExitCode.FATAL)
