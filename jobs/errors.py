"""Errors that users see, and exit codes. Messages give the value, the legal values, and the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the commands."""

    DONE = 0
    FATAL = 1
    USAGE = 2  # illegal arguments or an illegal manifest
    FAILURES = 3  # finished, with quarantined videos or missing files
    INTERRUPTED = 130  # resumable by the same command


class EndQuietly(Exception):  # noqa: N818
    """Ends a command with an exit code and without a word: nothing need be wrong."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


class UserError(Exception):
    """The command cannot be executed as given. Shown without a traceback."""


class ManifestError(UserError):
    """The manifest has problems; the message lists all of them with their rows."""


class FatalError(Exception):
    """The run cannot continue for a reason that concerns no single video, such as a lost cluster or lost storage."""


class StorageError(OSError):
    """Storage was out of reach for longer than the retry period, or returned content that was never written."""


class CredentialsError(StorageError):
    """Storage rejects the credentials, so every other location will fail as well."""


class RefusedError(StorageError):
    """Storage answers that one location cannot be had, whenever it is asked: a version that does not exist, for one."""


class VideoError(Exception):
    """One video cannot be segmented. The error is stored in the video's row, and the job continues."""


class EndsEarlyError(VideoError):
    """A video has fewer frames than it was asked for."""

    def __init__(self, wanted: int, frames: int) -> None:
        super().__init__(f"there is no frame {wanted}; the video has frames 0 to {frames - 1}")
        self.frames = frames


class PromptError(VideoError):
    """A video's prompts cannot be used."""


class DamagedError(VideoError):
    """A video has missing or damaged frames, and the run is strict."""


@contextmanager
def missing_is(error: type[VideoError]) -> Iterator[None]:
    """What is not there is an error of the video or its prompts, as in a run."""
    try:
        yield
    except FileNotFoundError as missing:
        raise error(str(missing)) from missing


def printable(text: str) -> str:
    """Put untrusted text on one line, and escape its control codes so that no terminal executes them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
