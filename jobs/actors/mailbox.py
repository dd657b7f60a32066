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
    work_id: str | None = None  # of the video that is to blame; None: of several under way, it cannot be told


Message = ExitReason | ShardHandedOver


class _Box:
    """What is there of one actor."""

    def __init__(self) -> None:
        self.stopped, self.posted = asyncio.Event(), asyncio.Event()
        self.message: Message | None = None
        self.is_forgotten = False


class Mailbox:
    """Messages of actors, and orders to stop, each under the name of an actor."""

    def __init__(self) -> None:
        self._boxes: defaultdict[str, _Box] = defaultdict(_Box)

    async def stop(self, name: str) -> None:
        """Order an actor to hand over the videos that it has finished."""
        self._boxes[name].stopped.set()

    async def wait_for_stop(self, name: str) -> bool:
        """Wait until the actor is ordered to stop; False if it was forgotten instead."""
        box = self._boxes[name]
        await box.stopped.wait()
        return not box.is_forgotten

    async def post(self, name: str, message: Message) -> None:
        """Leave an actor's message. The first one counts."""
        box = self._boxes[name]
        box.message = box.message or message
        box.posted.set()

    async def message(self, name: str) -> Message | None:
        """An actor's message, once there is one; None if the actor was forgotten instead."""
        box = self._boxes[name]
        await box.posted.wait()
        return box.message

    async def exit_reason(self, name: str) -> ExitReason | None:
        """Why an actor ended itself; None if it left no reason."""
        message = self._boxes[name].message
        return message if isinstance(message, ExitReason) else None

    async def forget(self, name: str) -> None:
        """Drop what there is of an actor that has ended.

        Ray does not end the calls of a process that died: each would take up one of the mailbox's calls for good.
        """
        box = self._boxes.pop(name, _Box())
        box.is_forgotten = True
        box.stopped.set()
        box.posted.set()
