"""Times grow from frame to frame in containers that hold no presentation times, and readers agree on them."""

from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.video.frame import PictureType

from jobs.inputs.videos.frame_times import MAX_REORDERED, DecodingTimes
from tests.jobs.inputs.videos.test_damage import encode, flip, without_packets
from tests.jobs.inputs.videos.test_reversed_video import X264, assert_same, backward, forward

CODECS = {
    "h264": ("libx264", {**X264, "g": "12", "bf": "3", "b-adapt": "0"}),
    "h264-pyramid": ("libx264", {**X264, "g": "24", "bf": "7", "b-adapt": "0", "b-pyramid": "normal"}),
    "h264-in-order": ("libx264", {**X264, "g": "12", "bf": "0"}),
    "mpeg4": ("mpeg4", {"g": "12", "bf": "2", "b_strategy": "0"}),
    "mjpeg": ("mjpeg", {}),
}


def times(path: Path) -> list[float | None]:
    return [frame.pts_seconds for frame in forward(path)]


@pytest.mark.parametrize("name", CODECS)
def test_frames_of_an_avi_are_a_frames_time_apart(name: str, tmp_path: Path) -> None:
    codec, options = CODECS[name]
    path = encode(tmp_path / "v.avi", codec, options, pixels="yuvj420p" if codec == "mjpeg" else "yuv420p")
    expected = [t / 24 for t in range(48)]
    assert times(path) == pytest.approx(expected)
    assert [frame.pts_seconds for frame in backward(path, 47)] == pytest.approx(expected[::-1])


def test_the_test_videos_have_b_frames_out_of_order(tmp_path: Path) -> None:
    for name in ("h264", "h264-pyramid", "mpeg4"):
        codec, options = CODECS[name]
        with av.open(str(encode(tmp_path / f"{name}.avi", codec, options))) as container:
            assert PictureType.B in {frame.pict_type for frame in container.decode(video=0)}


def test_times_grow_and_readers_agree_after_damage_and_lost_packets(tmp_path: Path) -> None:
    path = encode(tmp_path / "v.avi", *CODECS["h264"])
    lost = without_packets(path, tmp_path / "lost.avi", range(13, 15))
    for seed, damaged in ((0, lost), *((seed, flip(path, tmp_path / f"{seed}.avi", seed)) for seed in range(3))):
        frames = forward(damaged)
        found = [frame.pts_seconds or 0 for frame in frames]
        assert len(found) > 20, seed
        assert all(later > earlier for earlier, later in pairwise(found)), seed
        if damaged is lost:
            assert_same(backward(damaged, len(frames) - 1), frames[::-1])


def test_a_lost_frame_leaves_a_gap_and_shifts_only_the_next_times() -> None:
    for is_reordered, shifted in ((True, MAX_REORDERED), (False, 0)):
        given, found = DecodingTimes(), []
        for time in range(60):
            given.add(time)
            if time != 20:
                found.append(given.next(time, is_reordered=is_reordered) or 0)
        assert found[:20] == list(range(20))
        assert found[20 + shifted :] == list(range(21 + shifted, 60))
        assert found == sorted(set(found))


def test_frames_without_a_packets_time_get_growing_times() -> None:
    given = DecodingTimes()
    given.add(3)
    assert [given.next(own, is_reordered=True) for own in (3, 3, None, 7)] == [3, 4, None, 7]
