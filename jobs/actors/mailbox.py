"""Where an actor's watching thread and the driver leave word for each other while the actor itself is at work.

A Ray actor of its own beside the driver: it answers whatever the others are doing, and outlives them.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from jobs.records import ShardWritten, VideoRow


@dataclass(frozen=True)
class ExitReason:
    """Why a process ends itself."""

    error_class: str
    message: str


@dataclass(frozen=True)
class ShardHandedOver:
    """What was finished of a shard when its actor was told to stop: as good as a whole one."""

    attempt: str  # its folder
    rows: tuple[VideoRow, ...]
    written: ShardWritten


Message = ExitReason | ShardHandedOver


class Mailbox:
    """Words of actors, and orders to stop, each under the name of a worker."""

    def __init__(self) -> None:
        self._stopped: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._said: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._words: dict[str, Message] = {}

    async def stop(self, name: str) -> None:
        """Ask a worker to hand over what it has finished."""
        self._stopped[name].set()

    async def wait_for_stop(self, name: str) -> None:
        """Returns once the worker is asked to stop."""
        await self._stopped[name].wait()

    async def say(self, name: str, word: Message) -> None:
        """Leave a word. The first one counts."""
        self._words.setdefault(name, word)
        self._said[name].set()

    async def word(self, name: str) -> Message:
        """What a worker says, once it does."""
        await self._said[name].wait()
        return self._words[name]

    async def last_words(self, name: str) -> ExitReason | None:
        """Why a worker ended itself, if it did."""
        word = self._words.get(name)
        return word if isinstance(word, ExitReason) else None
