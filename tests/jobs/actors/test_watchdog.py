"""The watchdog names the video to blame: the one that others wait for, and none where several share a call."""

from jobs.actors.mailbox import ExitReason
from jobs.actors.watchdog import Watchdog, WatchedVideo
from jobs.inputs.limits import ProcessLimits

LIMITS = ProcessLimits(stall_seconds=10, video_seconds=100)


class Clock:
    """A video's own seconds, and the company that it is in."""

    def __init__(self) -> None:
        self.now, self.company = 0.0, 1

    def video(self) -> WatchedVideo:
        return WatchedVideo("v", lambda: self.now, lambda: self.company)


def blamed(reason: ExitReason | None) -> tuple[str, str | None] | None:
    return (reason.error_class, reason.work_id) if reason else None


def test_a_video_without_a_frame_hangs_and_one_that_waits_for_others_does_not() -> None:
    hangs, waits = Clock(), Clock()
    videos = hangs.video(), waits.video()
    hangs.now = 10.1
    assert [blamed(video.reason(LIMITS)) for video in videos] == [("Hang", "v"), None]
    videos[0].goes_on()
    assert videos[0].reason(LIMITS) is None
    hangs.now += 10.1
    assert blamed(videos[0].reason(LIMITS)) == ("Hang", "v")


def test_in_a_call_that_several_share_nobody_is_blamed() -> None:
    clock = Clock()
    video = clock.video()
    clock.now, clock.company = 11.0, 2
    assert blamed(video.reason(LIMITS)) == ("Hang", None)


def test_a_video_that_takes_too_long_is_to_blame_whatever_it_shares() -> None:
    clock = Clock()
    video = clock.video()
    clock.now, clock.company = 101.0, 3
    video.goes_on()
    assert blamed(video.reason(LIMITS)) == ("TimeLimit", "v")


class Still(Watchdog):
    """Watches only when it is asked."""

    def _watch(self) -> None: ...


def test_memory_is_nobodys_and_counts_only_while_a_video_is_under_way() -> None:
    dog = Still(ProcessLimits(memory_gib=1e-6), lambda reason: None)
    assert dog._reason() is None
    with dog.watching("v"):
        assert blamed(dog._reason()) == ("OutOfMemory", None)
    assert dog._reason() is None


def test_each_of_several_videos_is_watched_until_its_end() -> None:
    dog, clock = Still(LIMITS, lambda reason: None), Clock()
    with dog.watching("a", clock=lambda: 0.0), dog.watching("b", clock=lambda: clock.now):
        assert dog._reason() is None
        clock.now = 11.0
        assert blamed(dog._reason()) == ("Hang", "b")
        with dog.watching("c", clock=lambda: clock.now) as third:
            third.goes_on()
        assert blamed(dog._reason()) == ("Hang", "b")
    assert dog._reason() is None
