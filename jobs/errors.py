"""Errors that a user meets, and exit codes. Messages say what was given, what is legal, and what to do."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FATAL = 1
    USAGE = 2  # the command or its manifest cannot be used as given
    FAILURES = 3  # finished, but some videos are quarantined or some files are missing
    INTERRUPTED = 130  # resumable by the same command


class UserError(Exception):
    """The command cannot be carried out as given: shown without a traceback."""


class ManifestError(UserError):
    """The manifest has problems; the message lists all of them with their rows."""


class FatalError(Exception):
    """The run cannot go on for a reason that no single video has: no cluster, storage gone."""


class StorageError(OSError):
    """Storage was out of reach for longer than it is waited for, or returned what was never written."""


class CredentialsError(StorageError):
    """Storage knows these credentials no longer, or never did: no location will be any better."""


class VideoError(Exception):
    """One video cannot be segmented. Becomes that video's row; the job goes on."""


class PromptError(VideoError):
    """A video's prompts cannot be used."""


class DamagedError(VideoError):
    """A video lacks frames or has damaged ones, and the run is strict."""


def printable(text: str) -> str:
    """Text from outside on one line, with control codes escaped so that no terminal obeys them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
