"""Messages between the driver and the watching threads of actors, which exchange them while the actors are at work.

The mailbox is a Ray actor beside the driver: it answers while all other actors are busy, and it outlives them.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from jobs.records import ShardHandedOver


@dataclass(frozen=True)
class ExitReason:
    """Why an actor's process ends itself."""

    error_class: str
    message: str


Message = ExitReason | ShardHandedOver


class Mailbox:
    """Messages of actors, and orders to stop, each under the name of an actor."""

    def __init__(self) -> None:
        self._stopped: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._posted: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._messages: dict[str, Message] = {}

    async def stop(self, name: str) -> None:
        """Order an actor to hand over the videos that it has finished."""
        self._stopped[name].set()

    async def wait_for_stop(self, name: str) -> None:
        """Return once the actor is ordered to stop."""
        await self._stopped[name].wait()

    async def post(self, name: str, message: Message) -> None:
        """Leave an actor's message. The first one counts."""
        self._messages.setdefault(name, message)
        self._posted[name].set()

    async def message(self, name: str) -> Message:
        """An actor's message, once there is one."""
        await self._posted[name].wait()
        return self._messages[name]

    async def exit_reason(self, name: str) -> ExitReason | None:
        """Why an actor ended itself; None if it left no reason."""
        message = self._messages.get(name)
        return message if isinstance(message, ExitReason) else None
