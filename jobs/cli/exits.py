"""Exit codes; 0: all done."""

FATAL, USAGE, FAILURES, INTERRUPTED = 1, 2, 3, 130
