"""Synthetic clips: masks match the drawn objects, and equal arguments give equal pixels."""

import numpy as np
import pytest
import torch

from stcn_core.synthetic.clips import MIN_VISIBLE, draw_clip, is_visible


def test_equal_arguments_draw_equal_pixels() -> None:
    first, again = (draw_clip(7, [0, 3, 9], 48, width=80) for _ in range(2))
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.labels, again.labels)
    np.testing.assert_array_equal(first.surface, again.surface)
    assert not np.array_equal(first.frames, draw_clip(8, [0, 3, 9], 48, width=80).frames)


def test_frame_does_not_depend_on_which_frames_are_drawn_with_it() -> None:
    """Training draws three frames of a clip, evaluation all of them. Chunks of eight must not change a frame."""
    whole, sparse = draw_clip(3, range(20), 48, width=64), draw_clip(3, [0, 9, 17], 48, width=64)
    np.testing.assert_array_equal(whole.labels[[0, 9, 17]], sparse.labels)
    assert np.abs(whole.frames[[0, 9, 17]].astype(int) - sparse.frames).max() <= 1  # windows differ: rounding only


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [0, 1, 3, 12])
def test_object_of_one_pixel_or_all_pixels_is_not_visible(size: int) -> None:
    """One pixel, or no surroundings, has no spread of colours. A square of 3 x 3 in another colour is visible."""
    labels = torch.zeros(12, 12, dtype=torch.int64)
    labels[:size, :size] = 1
    assert is_visible((labels == 1).expand(3, 12, 12).float(), labels, 1) is (size == 3)


@pytest.mark.parametrize("seed", range(6))
def test_every_object_is_visible_on_first_frame(seed: int) -> None:
    clip = draw_clip(seed, [0, 4], 128, width=192, objects=3)
    assert clip.frames.shape == (2, 128, 192, 3)
    assert set(np.unique(clip.labels)) <= {0, 1, 2, 3}
    shown = np.bincount(clip.labels[0].ravel(), minlength=4)[1:] / clip.labels[0].size
    assert shown.min() > MIN_VISIBLE / 2  # the check looks at every fourth pixel each way


def test_late_object_appears_exactly_on_its_first_frame() -> None:
    clip = draw_clip(11, range(12), 64, width=96, objects=2, late={2: 5})
    sizes = (clip.labels == 2).sum((1, 2))
    assert not sizes[:5].any()
    assert sizes[5] > 0
    assert (clip.labels[0] == 1).any()


def test_cells_with_equal_surface_points_show_one_object() -> None:
    """Two cells that show one surface point in two frames must lie on one object."""
    clip = draw_clip(1, [0, 2], 128, width=128)
    here, there = (clip.surface[frame].reshape(-1, 3) for frame in (0, 1))
    labels_here, labels_there = (clip.labels[frame, 8::16, 8::16].ravel() for frame in (0, 1))
    distance = np.linalg.norm(here[:, None, 1:] - there[None, :, 1:], axis=-1)
    distance[here[:, None, 0] != there[None, :, 0]] = np.inf
    partner = distance.argmin(0)
    matched = distance.min(0) < 4
    assert matched.mean() > 0.5
    np.testing.assert_array_equal(labels_here[partner[matched]], labels_there[matched])


def test_objects_move_smoothly() -> None:
    """Most of an object overlaps its mask on the previous frame."""
    overlaps = []
    for seed in range(4):
        labels = draw_clip(seed, [10, 11], 96, width=128).labels
        for label in (1, 2):
            before, after = labels[0] == label, labels[1] == label
            if before.any():
                overlaps.append((before & after).sum() / (before | after).sum())
    assert np.median(overlaps) > 0.7


def test_zoom_enlarges_objects() -> None:
    areas = [
        np.mean([(draw_clip(s, [0], 64, width=64, zoom=z).labels > 0).mean() for s in range(6)]) for z in (1.0, 1.8)
    ]
    assert areas[1] > 1.5 * areas[0]


def test_clip_without_frames_or_objects_raises() -> None:
    with pytest.raises(ValueError, match="legal"):
        draw_clip(0, [], 64, width=64)
    with pytest.raises(ValueError, match="legal"):
        draw_clip(0, [0], 64, width=64, objects=0)
