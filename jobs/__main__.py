"""Where `stcn` begins: an interrupt counts as one even while the heavy imports are under way."""

import sys

from jobs.errors import ExitCode


def main() -> None:
    """Run the command."""
    try:
        from jobs.cli.__main__ import main as run

        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
