"""Why an actor died, or did not do what it was asked."""

from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

LAST_WORDS_SECONDS = 2.0  # for the board to say what a process left there


def cause(error: BaseException) -> str:
    """In words."""
    root = error.cause if isinstance(error, RayTaskError) else error
    text = str(root).strip() or type(root).__name__
    if isinstance(error, RayActorError):
        text = next((line for line in text.splitlines() if line.strip()), text)
    return text


def class_of_death(name: str, error: RayError, board: Any) -> tuple[str, RayError]:
    """Its class, and the error: what the worker of this name said before it ended itself, or what Ray knows."""
    if isinstance(error, OutOfMemoryError):
        return "OutOfMemory", error
    try:
        words = ray.get(board.last_words.remote(name), timeout=LAST_WORDS_SECONDS)
    except RayError:
        words = None
    return (words.error_class, RayError(words.message)) if words else ("Crash", error)
