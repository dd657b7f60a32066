"""Cuts are found exactly where scenes are joined."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pytest

from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.video import Video
from jobs.segmenting import scene_cuts
from jobs.segmenting.scene_cuts import NEIGHBOURS, scenes
from stcn_core.synthetic.clips import draw_clip
from stcn_core.yuv import Colours, YuvFrame
from tests.parts import SHARED, needs_shared

FRAMES = 12
CUTS = {"cosmos-10s.mp4": [214], "v2d-test.mp4": [213]}  # verified by eye
FOOTAGE = ("videos/*.mp4", "davis2016-dev/JPEGImages/*", "judo/JPEGImages")


def cuts(frames: Iterable[VideoFrame]) -> list[int]:
    """Return the frames that begin a new scene."""
    found, last = [], 0
    for scene, frame in scenes(frames):
        if scene != last:
            found.append(frame.index)
        last = scene
    return found


def numbered(images: Sequence[np.ndarray]) -> list[VideoFrame]:
    return [
        VideoFrame(index=i, pts_seconds=None, name=None, pixels=image, height=image.shape[0], width=image.shape[1])
        for i, image in enumerate(images)
    ]


@pytest.fixture(scope="module")
def clips() -> list[list[np.ndarray]]:
    return [list(draw_clip(seed, range(FRAMES), 120, width=160).frames) for seed in range(6)]


def test_cuts_lie_where_clips_are_joined(clips: list[list[np.ndarray]]) -> None:
    images = [image for clip in clips for image in clip]
    assert cuts(numbered(images)) == list(range(FRAMES, len(images), FRAMES))


def test_motion_is_not_a_cut(clips: list[list[np.ndarray]]) -> None:
    assert not any(cuts(numbered(clip)) for clip in clips)


def test_flashes_and_fades_are_not_cuts(clips: list[list[np.ndarray]]) -> None:
    flash = [*clips[0]]
    flash[5] = np.full_like(flash[5], 255)
    fade = [(image * (1 - i / FRAMES)).astype(np.uint8) for i, image in enumerate(clips[0])]
    assert cuts(numbered(flash)) == []
    assert cuts(numbered(fade)) == []


@pytest.mark.parametrize("length", range(1, 2 * NEIGHBOURS + 2))
def test_short_scenes_yield_each_frame_once(clips: list[list[np.ndarray]], length: int) -> None:
    """Each frame comes once and in order, however few there are; a last frame alone is not a scene."""
    images = [*clips[0][:length], *clips[1][:3]]
    numbers = [(scene, frame.index) for scene, frame in scenes(numbered(images))]
    assert numbers == [(int(i >= length), i) for i in range(length + 3)]
    assert [frame.index for _, frame in scenes(numbered(images[:length]))] == list(range(length))
    assert list(scenes([])) == []


def test_frames_in_memory_are_bounded(clips: list[list[np.ndarray]]) -> None:
    read = 0

    def frames() -> Iterator[VideoFrame]:
        nonlocal read
        for frame in numbered(clips[0]):
            read += 1
            yield frame

    assert all(read <= frame.index + 1 + NEIGHBOURS for _, frame in scenes(frames()))


@pytest.mark.heavy
@needs_shared
@pytest.mark.parametrize("pattern", FOOTAGE)
def test_real_footage_is_cut_only_where_it_was_edited(pattern: str) -> None:
    for path in sorted(SHARED.glob(pattern)):
        with Video(path, end=300, short_side=240) as video:
            assert cuts(video) == CUTS.get(path.name, []), path.name


def test_thumbnail_of_a_turned_frame_has_the_cells_of_the_upright_one() -> None:
    """A phone's upright video is coded lying on its side: its thumbnail is as wide as any other's."""
    height, width = 160, 200
    luma = np.random.default_rng(0).integers(16, 236, (height, width), np.uint8)
    packed = np.concatenate([luma.ravel(), np.full(height * width // 2, 128, np.uint8)])
    lying = YuvFrame(packed=packed, height=height, width=width, colours=Colours(0.299, 0.114), is_transposed=True)
    found = scene_cuts._thumbnail(lying)
    upright = np.rint((luma.T[..., None].astype(np.float32) - 16) * 255 / 219).repeat(3, axis=-1).astype(np.uint8)
    expected = scene_cuts._thumbnail(upright)
    assert found.shape == expected.shape == (*scene_cuts.CELLS, 3)
    assert np.abs(found - expected).max() < 1
