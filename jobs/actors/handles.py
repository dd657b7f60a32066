"""Types of what Ray hands out: it does not say which methods an actor has, and what they return."""

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

import ray

from jobs.actors.actor_settings import ActorSettings
from jobs.actors.division import NodeShare
from jobs.records import Event
from jobs.segmenting.work_item import Shard

if TYPE_CHECKING:
    from jobs.actors.mailbox import ExitReason, Message

P = ParamSpec("P")
R = TypeVar("R")


class RemoteMethod(Protocol[P, R]):
    """A method of an actor: `remote` calls it, and returns a reference to its result."""

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> "ray.ObjectRef[R]": ...


class EventStream(Protocol):
    """References to the events of a shard, as they come. A Ray generator."""

    def __next__(self) -> "ray.ObjectRef[Event]": ...


class StreamingCall(Protocol):
    """A call of `Segmenter.run` with options."""

    def remote(self, shard: Shard, attempt: str) -> EventStream: ...


class StreamingMethod(Protocol):
    """`Segmenter.run`, whose events stream."""

    def options(self, *, num_returns: str) -> StreamingCall: ...


class LoadMethod(Protocol):
    """`Segmenter.load`. Ray passes the model's bytes for a reference to them."""

    def remote(
        self, model: "ray.ObjectRef[bytes]", settings: ActorSettings, *, share: NodeShare
    ) -> "ray.ObjectRef[None]": ...


class SegmenterHandle(Protocol):
    """A `Segmenter` in its process."""

    node: RemoteMethod[[], str]
    load: LoadMethod
    compile: RemoteMethod[[], None]
    run: StreamingMethod


class MailboxHandle(Protocol):
    """The `Mailbox` of a run."""

    stop: RemoteMethod[[str], None]
    wait_for_stop: RemoteMethod[[str], bool]
    post: "RemoteMethod[[str, Message], None]"
    message: "RemoteMethod[[str], Message | None]"
    exit_reason: "RemoteMethod[[str], ExitReason | None]"
    forget: RemoteMethod[[str], None]


def kill(actor: SegmenterHandle | MailboxHandle) -> None:
    """End an actor's process at once; nothing happens if it is gone."""
    handle: Any = actor  # Ray's own type of a handle says nothing of its methods
    ray.kill(handle)
