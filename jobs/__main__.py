"""Where `stcn` begins: an interrupt counts as one even while the heavy imports are under way."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command."""
    try:
        from jobs.cli import main as run

        run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
