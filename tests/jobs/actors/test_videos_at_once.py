"""Several videos of a shard are under way, and whatever becomes of one, the others come to their end, or to a stop."""

import threading
from collections.abc import Generator
from typing import Any

import pytest
import torch

from jobs.actors.videos_at_once import VideosAtOnce, Work
from jobs.records import Event, FramesDone, VideoStarted
from jobs.segmenting.work_item import WorkItem
from stcn_core.acceleration.shared_network import ClipNetwork, SharedNetwork
from tests.core.tiny import tiny_model
from tests.jobs.scheduling.shards import item

ITEMS = [item(str(number)) for number in range(7)]
IMAGE = torch.zeros(1, 3, 32, 32)


def run(work: Work, *, at_once: int = 2) -> Generator[Event, None, None]:
    with SharedNetwork(tiny_model(), at_once=at_once) as shared:
        yield from VideosAtOnce(shared, ITEMS, work, at_once=at_once).events()


def test_every_video_has_its_events_and_no_more_threads_are_at_work_than_there_should_be() -> None:
    most, here = [0], []

    def work(video: WorkItem, network: ClipNetwork) -> Generator[Event, None, None]:
        here.append(video)
        most[0] = max(most[0], len(here))
        yield VideoStarted(video.work_id)
        for _ in range(int(video.work_id)):
            network.encode_query(IMAGE)
            yield FramesDone(1, work_id=video.work_id)
        here.remove(video)

    events = list(run(work))
    started = {event.work_id for event in events if isinstance(event, VideoStarted)}
    assert started == {video.work_id for video in ITEMS}
    assert sum(isinstance(event, FramesDone) for event in events) == sum(range(7))
    assert most[0] <= 3


def test_an_error_that_is_no_videos_ends_all_and_is_raised() -> None:
    closed: list[str] = []

    def work(video: WorkItem, network: ClipNetwork) -> Generator[Event, None, None]:
        try:
            yield VideoStarted(video.work_id)
            for step in range(20):
                network.encode_query(IMAGE)
                if (video.work_id, step) == ("1", 5):
                    raise OSError("the disk is full")
                yield FramesDone(1, work_id=video.work_id)
        finally:
            closed.append(video.work_id)

    with pytest.raises(OSError, match="the disk is full"):
        list(run(work))
    assert {"0", "1"} <= set(closed) <= {"0", "1", "2"}


def test_closing_the_events_ends_the_threads() -> None:
    before = threading.active_count()

    def work(video: WorkItem, network: ClipNetwork) -> Generator[Event, None, None]:
        yield VideoStarted(video.work_id)
        while True:
            network.encode_query(IMAGE)
            yield FramesDone(1, work_id=video.work_id)

    events: Any = run(work)
    for _, _ in zip(range(10), events, strict=False):
        pass
    events.close()
    assert threading.active_count() == before


def test_no_video_goes_on_before_the_event_of_its_start_was_taken() -> None:
    """One that ends the process at once would otherwise be one that nobody knows to have begun."""
    going_on: set[str] = set()

    def work(video: WorkItem, network: ClipNetwork) -> Generator[Event, None, None]:
        yield VideoStarted(video.work_id)
        going_on.add(video.work_id)
        network.encode_query(IMAGE)

    taken: set[str] = set()
    for event in run(work):
        assert isinstance(event, VideoStarted)
        threading.Event().wait(0.05)  # others may go on meanwhile
        assert going_on <= taken
        taken.add(event.work_id)
    assert going_on == taken == {video.work_id for video in ITEMS}


def test_a_video_that_makes_no_call_gives_its_seat_up() -> None:
    def work(video: WorkItem, network: ClipNetwork) -> Generator[Event, None, None]:
        yield VideoStarted(video.work_id)
        if int(video.work_id) % 2:
            network.encode_query(IMAGE)

    assert len(list(run(work))) == len(ITEMS)


@pytest.mark.parametrize("most", [0, 1])
def test_a_machine_that_starts_no_more_threads_ends_the_shard_and_keeps_no_seat(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit on processes is one on threads, too. The actor's next shard has the same network."""
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    def work(video: WorkItem, network: ClipNetwork) -> Generator[Event, None, None]:
        yield VideoStarted(video.work_id)
        network.encode_query(IMAGE)

    with SharedNetwork(tiny_model(), at_once=2) as shared:
        with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="can't start new thread"):
            videos = VideosAtOnce(shared, ITEMS, work, at_once=2)
            patched.setattr(threading.Thread, "start", limited)
            list(videos.events())
        assert not any(thread.is_alive() for thread in started)
        assert not shared._rounds._seated
