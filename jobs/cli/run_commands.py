"""Commands that begin, plan and look after a run."""

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli.config_flags import Output, flag_of, flags_of
from jobs.errors import EndQuietly, ExitCode, UserError
from jobs.io.storage_policy import QUICK_SECONDS, StoragePolicy, storage_policy
from jobs.planning.config import SegmentConfig

if TYPE_CHECKING:
    from jobs.planning.job import Job
    from jobs.segmenting.work_item import WorkItem


@flags_of(SegmentConfig)
def segment(config: SegmentConfig) -> None:
    """Propagate the prompts of every video through all of its frames. Run it again to resume."""
    _run_segment(config)


def retry(
    output: Output,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Error class to retry, such as Crash. Repeatable.", show_default="all classes"),
    ] = None,
    actors: Annotated[int | None, flag_of(SegmentConfig, "actors", unset="as in the last run")] = None,
    recheck: Annotated[bool, flag_of(SegmentConfig, "recheck")] = False,
) -> None:
    """Take videos out of quarantine and try them again, with the options of the output's last run."""
    from jobs.planning.run_record import read_config

    config = dataclasses.replace(read_config(output), recheck=recheck)
    _run_segment(
        config if actors is None else dataclasses.replace(config, actors=actors, min_actors=None, max_actors=None),
        only or [],
    )


def _run_segment(config: SegmentConfig, classes: list[str] | None = None) -> None:
    from jobs.costs.cost_report import describe_last_run
    from jobs.outputs.store import run_info
    from jobs.run.driver import run
    from jobs.watching.progress import reporter
    from jobs.watching.summary import summarise

    rows = run(config, reporter(), classes)
    print(summarise(rows, config.output))
    if told := describe_last_run(run_info(config.output)):
        print(told)
    if rows.with_status("quarantined"):
        raise typer.Exit(ExitCode.FAILURES)


@flags_of(SegmentConfig, when=lambda option: not option.run_only, defaults={"actors": 1})
def plan(
    config: SegmentConfig,
    check: Annotated[
        bool, typer.Option("--check", help="Read every prompt and each video's header, and list what would fail.")
    ] = False,
    check_sample: Annotated[
        int | None,
        typer.Option(min=1, help="Check a random sample of this many videos.", show_default="all, with --check"),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Segment this many random videos here, keep nothing of them, and project what all of them take.",
            show_default="none",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of random samples: the same one draws the same videos.")] = 0,
) -> None:
    """Show what `segment` would do, and what that would take and cost, without doing it."""
    from jobs.costs.cost_report import describe_expectation
    from jobs.costs.expectation import expect
    from jobs.planning.job import prepare_job
    from jobs.run.plan_report import describe_believed, describe_lengths, describe_plan, describe_unused

    if sample and config.frames_per_second:
        raise UserError("--sample with --frames-per-second is not usable; legal: one of them, as a sample measures it")
    job = prepare_job(dataclasses.replace(config, storage_patience=min(config.storage_patience, QUICK_SECONDS)))
    job, _ = job.without_lost()
    shards, counts, todo = job.shards(config.actors or 1), job.counts(), job.todo()
    print(describe_plan(shards, counts, job.outdated()))
    if any(item.expected_frames and item.entry.frames is None and item.video_bytes for item in todo):
        print(describe_lengths(job.rates))
    if believed := job.believed():
        print(describe_believed(believed, counts["done"]))
    if job.unused_columns:
        print(describe_unused(job.unused_columns))
    if todo and not sample:
        print(describe_expectation(expect(job, todo)))
    is_sound = _check_inputs(todo, check_sample, seed) if check or check_sample else True
    if todo and sample:
        is_sound &= _project_sample(job, todo, sample, seed=seed)
    if not is_sound:
        raise typer.Exit(ExitCode.FAILURES)


def _check_inputs(todo: Sequence["WorkItem"], count: int | None, seed: int) -> bool:
    from jobs.costs.sampling import sampled
    from jobs.run.input_check import describe_failures, find_failures

    chosen = sampled(todo, count, seed)
    failures = list(find_failures(chosen))
    print(describe_failures(len(chosen), failures, len(todo)))
    return not failures


def _project_sample(job: "Job", todo: Sequence["WorkItem"], count: int, *, seed: int) -> bool:
    from jobs.commands.sample import project_sample

    return not project_sample(job, todo, count, seed=seed, tell=functools.partial(print, flush=True))


def status(
    output: Output,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, with every actor.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again until the run ends; exit with the run's code.")
    ] = False,
    interval: Annotated[float, typer.Option(min=1, help="Seconds between two looks with --watch.")] = 10.0,
    wait: Annotated[
        float, typer.Option(min=0, help="With --watch: seconds in which a run may begin where none is at work.")
    ] = 0.0,
) -> None:
    """Show how far an output is, of all its manifests, and what its run is at: from storage alone, from anywhere."""
    from jobs.watching.output_status import StatusReader
    from jobs.watching.watch import watch as watch_run

    with storage_policy(StoragePolicy(QUICK_SECONDS)):
        if not watch:
            read = StatusReader(output).read()
            print(json.dumps(read.as_dict(), indent=1) if as_json else read.describe())
            return
        try:
            code = watch_run(output, interval, as_json=as_json, wait=wait)
        except KeyboardInterrupt:
            raise EndQuietly(ExitCode.INTERRUPTED) from None
    raise EndQuietly(code)


def forget(
    output: Output,
    videos: Annotated[list[str], typer.Argument(help="The video_id of each video to remove.", metavar="ID...")],
) -> None:
    """Remove videos from an output: their masks and their rows."""
    from jobs.commands.forget import forget as run_forget

    masks = run_forget(output, videos)
    print(f"{len(set(videos))} videos are forgotten, and {masks} masks are removed from {output}")


def compact(
    output: Output,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be merged, and change nothing.")] = False,
) -> None:
    """Merge small files of masks, towards 256 MB each. Run it again to resume."""
    from jobs.commands.compact import compact_output, plan_output
    from jobs.watching.progress import reporter

    print((plan_output(output) if dry_run else compact_output(output, reporter())).describe(output))


def verify(
    output: Output,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="Local file that notes the files verified; the same command then goes on after an interrupt."
        ),
    ] = None,
) -> None:
    """Prove from storage that nothing is lost, stored twice, or altered; exit with 1 if something is."""
    from jobs.commands.verify import describe
    from jobs.commands.verify import verify as find_problems

    found = find_problems(output, journal)
    print(describe(found, output))
    if found.problems:
        raise typer.Exit(ExitCode.FATAL)
