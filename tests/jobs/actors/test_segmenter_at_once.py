"""An actor has several videos of a shard under way, with the watchdog at each, and one where a shard has no more."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest
import torch

from jobs.actors import segmenter as segmenter_module
from jobs.actors.actor_settings import ActorSettings
from jobs.actors.mailbox import ExitReason
from jobs.actors.segmenter import Segmenter
from jobs.actors.watchdog import Watchdog, WatchedVideo
from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.inputs.limits import ProcessLimits
from jobs.io.storage_policy import StoragePolicy
from jobs.planning.shards import make_shard
from jobs.records import Entry, Event, FramesDone, ShardWritten, VideoFailed, VideoFinished, VideoOpened, VideoStarted
from jobs.segmenting.device_decoding import decoding_for
from jobs.segmenting.work_item import Shard, VideoOptions, WorkItem
from stcn_core.config import PropagationConfig
from tests.core.tiny import tiny_model

FRAMES = 12
SETTINGS = ActorSettings(
    run="r", device="cpu", decoder="cpu", precision="float32", similarity=None,
    allowance=ProcessLimits(), storage=StoragePolicy(),
)  # fmt: skip


class Ended(BaseException):
    """In place of the end of the process."""


class Idle(Watchdog):
    """Ends no process."""

    def _watch(self) -> None: ...

    def end(self, reason: ExitReason) -> NoReturn:
        self._post(reason)
        raise Ended


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    """Four videos of equal lengths."""
    folder = tmp_path_factory.mktemp("archive")
    drawn = [
        DrawnVideo(video_id=f"{n}", seed=n, frames=FRAMES, height=48, width=64, rate=Fraction(24), objects=1 + n % 2)
        for n in range(4)
    ]
    draw_archive(drawn, folder)
    return make_shard(
        WorkItem(
            entry=Entry(video_id=name, video=f"{folder}/videos/{name}.mp4", prompts=f"{folder}/prompts/{name}"),
            options=VideoOptions(propagation=PropagationConfig()),
            work_id=f"work-{name}",
            expected_frames=FRAMES,
        )
        for name in "0123"
    )


def segmenter(at_once: int, report_seconds: float = 0.0) -> Any:
    """One that has a model, without a driver."""
    made: Any = Segmenter("name", cast(Any, None))
    made._settings, made._clips = replace(SETTINGS, report_seconds=report_seconds), at_once
    made._decoding = decoding_for(torch.device("cpu"), files=at_once)
    made._use(tiny_model())
    made._watchdog = Idle(ProcessLimits(), lambda reason: None)
    return made


def watched(actor: Any, shard: Shard, attempt: Path) -> Iterator[tuple[Event, list[WatchedVideo]]]:
    """Each event, and the videos that the watchdog is at by then."""
    for event in actor.run(shard, str(attempt)):
        yield event, list(actor._watchdog._videos)


def test_videos_that_share_calls_begin_before_others_end_and_each_is_watched(shard: Shard, tmp_path: Path) -> None:
    actor = segmenter(2)
    pairs = list(watched(actor, shard, tmp_path / "attempt"))
    events = [event for event, _ in pairs]
    first_end = next(place for place, event in enumerate(events) if isinstance(event, VideoFinished))
    assert sum(isinstance(event, VideoStarted) for event in events[:first_end]) in (2, 3)
    assert max(len(videos) for _, videos in pairs) in (2, 3)
    assert not any(video._clock is time.monotonic for _, videos in pairs for video in videos), "waits would count"
    assert isinstance(events[-1], ShardWritten)
    assert actor._watchdog._videos == ()


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("report_seconds", [0.0, 1_000.0])
def test_events_say_which_video_they_are_about(
    at_once: int, report_seconds: float, shard: Shard, tmp_path: Path
) -> None:
    """Also the last report, which may be the only one."""
    events = [event for event, _ in watched(segmenter(at_once, report_seconds), shard, tmp_path / "attempt")]
    for item in shard.items:
        own = [event for event in events if getattr(event, "work_id", None) == item.work_id]
        assert isinstance(own[0], VideoStarted)
        assert [event.frames for event in own if isinstance(event, VideoOpened)] == [FRAMES]
        assert sum(event.frames for event in own if isinstance(event, FramesDone)) == FRAMES
    finished = [event.row for event in events if isinstance(event, VideoFinished)]
    assert sorted(row.work_id for row in finished) == [item.work_id for item in shard.items]
    assert all(row.seconds and row.masks for row in finished)


def test_a_video_alone_in_its_shard_has_the_network_for_itself(
    shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a suspect has: its masks do not depend on company, and there is nobody to wait for."""
    actor = segmenter(2)
    monkeypatch.setattr(actor._shared, "clip", lambda: pytest.fail("a seat for a video alone"))
    alone = Shard("alone", shard.items[:1])
    events = [event for event, _ in watched(actor, alone, tmp_path / "attempt")]
    assert isinstance(events[-1], ShardWritten)


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("lost", [True, False])
def test_an_error_after_which_the_gpu_fails_every_call_ends_the_process_and_fails_no_video(
    at_once: int, lost: bool, shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one bad video fails all that its actor is given from then on."""

    def fail(*arguments: object) -> NoReturn:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    actor, reasons, events = segmenter(at_once), list[ExitReason](), list[Event]()
    actor._watchdog = Idle(ProcessLimits(), reasons.append)
    monkeypatch.setattr(actor._model, "segment", fail)
    monkeypatch.setattr(segmenter_module, "is_lost", lambda device: lost)
    with pytest.raises(Ended) if lost else nullcontext():
        for event in actor.run(shard, str(tmp_path / "attempt")):
            events.append(event)
    failed = sum(isinstance(event, VideoFailed) for event in events)
    assert failed == (0 if lost else len(shard.items))
    assert {(reason.error_class, reason.work_id) for reason in reasons} == ({("Crash", None)} if lost else set())
    assert all("an illegal memory access" in reason.message for reason in reasons)
