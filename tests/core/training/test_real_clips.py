"""Crops of real frames: masks follow their pixels, and objects are numbered from 1."""

import numpy as np
import pytest
import torch

from stcn_core.training.real_clips import crop_sample

COLOURS = {7: (250, 10, 10), 9: (10, 250, 10)}


def frames(count: int, step: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Two rectangles that move right on grey, under a stripe of void."""
    images, labels = [], []
    for frame in range(count):
        plane = np.zeros((120, 200), np.uint8)
        plane[30:70, 40 + step * frame : 90 + step * frame] = 7
        plane[60:110, 100 + step * frame : 160 + step * frame] = 9
        image = np.full((120, 200, 3), 100, np.uint8)
        for object_id, colour in COLOURS.items():
            image[plane == object_id] = colour
        plane[:5] = 255
        images.append(image)
        labels.append(plane)
    return images, labels


def follow(found_images: torch.Tensor, found_labels: torch.Tensor) -> float:
    """The share of labelled pixels that have a rectangle's colour, red or green."""
    colours = found_images.permute(0, 2, 3, 1)[found_labels > 0].float()
    return ((colours.amax(-1) > 150) & (colours.amin(-1) < 60)).float().mean().item()


@pytest.mark.parametrize("deformed", [False, True])
def test_masks_follow_their_pixels(deformed: bool) -> None:
    for seed in range(10):
        found = crop_sample(
            np.random.default_rng(seed), *frames(3, 4), height=64, width=96, objects=2, deformed=deformed
        )
        assert found is not None
        assert found.images.shape == (3, 3, 64, 96)
        assert found.labels.shape == (3, 64, 96)
        assert set(found.labels.unique().tolist()) <= {0, 1, 2}
        assert (found.labels[0] == 1).any()
        assert follow(found.images, found.labels) > 0.9  # all but outline pixels


def test_sample_keeps_at_most_the_requested_objects_chosen_at_random() -> None:
    seen = set()
    for seed in range(20):
        found = crop_sample(np.random.default_rng(seed), *frames(2), height=64, width=96, objects=1, deformed=False)
        assert found is not None
        assert int(found.labels.max()) == 1
        colour = found.images[0].permute(1, 2, 0)[found.labels[0] == 1].float().mean(0)
        seen.add(int(colour.argmax()))
    assert seen == {0, 1}


def test_copies_of_one_photograph_differ_only_if_deformed() -> None:
    images, labels = frames(1)
    same, bent = (
        crop_sample(np.random.default_rng(3), images * 3, labels * 3, height=64, width=64, objects=2, deformed=deformed)
        for deformed in (False, True)
    )
    assert same is not None
    assert bent is not None
    assert torch.equal(same.images[0], same.images[2])
    assert not torch.equal(bent.labels[0], bent.labels[2])


def test_frames_without_an_object_give_no_sample() -> None:
    images, labels = frames(2)
    empty = [np.zeros_like(plane) for plane in labels]
    assert crop_sample(np.random.default_rng(0), images, empty, height=64, width=64, objects=2, deformed=False) is None


def test_value_255_alone_is_an_object_as_in_davis_2016() -> None:
    images, labels = frames(2)
    binary = [np.where(plane == 9, 255, 0).astype(np.uint8) for plane in labels]
    found = crop_sample(np.random.default_rng(0), images, binary, height=64, width=96, objects=2, deformed=False)
    assert found is not None
    assert int(found.labels.max()) == 1
