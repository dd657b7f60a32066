"""All commands, in the order of `--help`."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from jobs.cli.label_commands import ExportCommand, evaluate, export, overlay, select
from jobs.cli.model_commands import bench, demo, train
from jobs.cli.run_commands import compact, forget, plan, retry, segment, status, verify
from jobs.concurrency import interrupt
from jobs.errors import EndQuietly, ExitCode, FatalError, UserError
from jobs.plugins import load_plugins

app = typer.Typer(
    name="stcn",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RUN = (segment, retry, plan, status, verify, forget, compact)
for command in (*RUN, select, evaluate, export, overlay, train, demo, bench):
    app.command(cls=ExportCommand if command is export else None)(command)


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


def main(args: list[str] | None = None) -> None:
    """Run the command; report errors as messages, and the outcome as exit code."""
    interrupt.listen()
    sys.exit(_run(args))


def _run(args: list[str] | None) -> int:
    try:
        load_plugins()
        app(args=args)
    except SystemExit as done:  # Typer's way to end, with 2 for a usage error and 130 for an interrupt
        if done.code == ExitCode.INTERRUPTED:
            print("interrupted; what is finished is kept, and the same command goes on from there", file=sys.stderr)
        return int(done.code or 0)
    except EndQuietly as end:
        return end.code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except (FatalError, OSError) as error:
        print(f"fatal: {error}", file=sys.stderr)
        return ExitCode.FATAL
    return 0


if __name__ == "__main__":
    main()
