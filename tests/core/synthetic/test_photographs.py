"""Photographs with masks: their objects, what they hide, and scenes in which the objects move over the photograph."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from stcn_core.synthetic.clips import draw_clips
from stcn_core.synthetic.cut_outs import REACH
from stcn_core.synthetic.photographs import HALO, AnnotatedPhotograph, dilate, fill
from stcn_core.synthetic.pictures import Pictures
from stcn_core.synthetic.rendering import render
from stcn_core.synthetic.scene import Scene, draw_scene, join

GROUND, RED = (20, 200, 20), (220, 20, 20)
HEIGHT, WIDTH = 96, 128


@pytest.fixture(autouse=True)
def nothing_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stcn_core.synthetic.scene.JOINED_PROBABILITY", 0.0)


def photograph(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (120, 160)) -> AnnotatedPhotograph:
    """Red boxes, each (top, bottom, left, right) without its upper left quarter, on green; their ids are 10, 20, ..."""
    picture = torch.tensor(GROUND, dtype=torch.uint8)[:, None, None].repeat(1, *size)
    ids = torch.zeros(size, dtype=torch.uint8)
    for number, (top, bottom, left, right) in enumerate(boxes):
        ids[top:bottom, left:right] = 10 * (number + 1)
        ids[top : (top + bottom) // 2, left : (left + right) // 2] = 0
    picture[:, ids > 0] = torch.tensor(RED, dtype=torch.uint8)[:, None]
    return AnnotatedPhotograph.from_labels(picture, ids)


ONE = photograph((40, 80, 60, 110))


def pictures_of(*photographs: AnnotatedPhotograph, photographed: float = 1.0) -> Pictures:
    return Pictures([], []).with_annotated(photographs, photographed)


def plain_scene(seed: int, pictures: Pictures) -> Scene:
    """A scene of one object, without shadows, light, lens and codec."""
    scene = draw_scene(
        np.random.default_rng(seed), HEIGHT, WIDTH, objects=1, late={}, zoom=1.0, pictures=pictures, distractors=0
    )
    nothing = replace(
        scene.exposure, light=torch.zeros(6), tint=torch.ones(3), shutter=0.0, blur=0.0, noise=0.0, quantiser=0.0
    )
    return replace(scene, shadow=torch.zeros(4), exposure=nothing)


def shows_object(frames: Tensor, scene: Scene) -> Tensor:
    """Where frames (T, H, W, 3) of a scene are nearer to its object's colour than to its ground's, (T, H, W)."""
    ground, thing = (layer.texture.mean((1, 2)) * 255 for layer in scene.layers)
    return ((frames - (ground + thing) / 2) @ (thing - ground)) > 0


def test_ids_become_objects_with_their_places_unless_too_small() -> None:
    found = photograph((40, 80, 60, 110), (10, 14, 10, 14), (90, 110, 20, 50))
    assert [placed.id for placed in found.objects] == [10, 30]
    assert [placed.centre for placed in found.objects] == [(85.0, 60.0), (35.0, 100.0)]
    assert [placed.side for placed in found.objects] == [50 + 2 * REACH, 30 + 2 * REACH]
    for placed, area in zip(found.objects, (40 * 50, 20 * 30), strict=True):
        assert int((placed.thing.alpha > 127).sum()) == pytest.approx(0.75 * area, abs=6)  # corners are round


def test_cut_out_shows_no_ground_where_the_mask_holds_some() -> None:
    found = photograph((40, 80, 60, 110))
    generous = AnnotatedPhotograph.from_labels(found.picture, dilate(found.ids > 0, 1).byte())
    assert (generous.objects[0].thing.picture == torch.tensor(RED)[:, None, None]).all()


def test_filled_photograph_holds_no_pixel_of_its_objects() -> None:
    found = photograph((40, 80, 60, 110), (90, 110, 20, 50))
    found.picture[:, 80:84, 60:110] = 0  # the mask misses a part
    assert (found.filled == torch.tensor(GROUND)[:, None, None]).all()
    around = dilate(found.ids == 10, HALO)
    one_left = found.without(found.objects[:1])
    assert (one_left[:, around] == torch.tensor(GROUND)[:, None]).all()
    assert torch.equal(one_left[:, ~around], found.picture[:, ~around])  # the other stays


def test_fill_continues_each_side_and_keeps_known_pixels() -> None:
    picture = torch.zeros(3, 40, 60, dtype=torch.uint8)
    picture[0, :, 30:] = 200
    known = torch.ones(40, 60, dtype=torch.bool)
    known[10:30, 5:55] = False
    picture[:, ~known] = 99
    found = fill(picture, known)
    assert torch.equal(found[:, known], picture[:, known])
    assert int(found[0, 20, 6]) < 60
    assert int(found[0, 20, 53]) > 140
    assert not found[1:].any()


@pytest.mark.parametrize("seed", range(6))
def test_label_covers_exactly_what_shows_the_moved_object(seed: int) -> None:
    scene = plain_scene(seed, pictures_of(ONE))
    frames, labels, _ = render(scene, [0, 9, 25], HEIGHT, width=WIDTH)
    assert (labels == 1).any()
    assert (shows_object(frames.float(), scene) == (labels == 1)).float().mean() > 0.999
    assert not torch.equal(labels[0], labels[2])


@pytest.mark.parametrize("seed", range(6))
def test_object_begins_at_its_own_place_and_size(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the ground still shows the object, and the object does not move, it covers itself."""
    monkeypatch.setattr(AnnotatedPhotograph, "without", lambda self, objects: self.picture)
    scene = plain_scene(seed, pictures_of(ONE))
    layers = [replace(layer, glow=torch.zeros(3)) for layer in scene.layers]
    path = replace(layers[1].path, bends=torch.zeros(2, 6), hinges=torch.zeros(2, 6))
    scene = replace(scene, layers=[layers[0], replace(layers[1], path=path)])
    frames, labels, _ = render(scene, [0], HEIGHT, width=WIDTH)
    is_red = frames[0].float() @ (layers[1].texture.mean((1, 2)) - layers[0].texture[:, 0, 0])
    shown = is_red > (is_red.max() + is_red.min()) / 2
    assert (shown & ~dilate(labels[0] == 1, 2)).sum() == 0


def test_batch_mixes_photographs_of_few_and_many_objects() -> None:
    many = photograph((10, 40, 10, 50), (60, 100, 20, 60), (20, 60, 90, 130), (80, 110, 100, 150))
    times = torch.tensor([[0, 3]] * 6)
    found = draw_clips(
        range(6), times, HEIGHT, width=WIDTH, objects=2, zooms=[1.0] * 6, pictures=pictures_of(ONE, many)
    )
    assert {tuple(clip.unique().tolist()) for clip in found.labels[:, 0]} == {(0, 1, 2)}


def test_object_beyond_those_asked_for_has_no_label() -> None:
    many = photograph((10, 40, 10, 50), (60, 100, 20, 60), (20, 60, 90, 130), (80, 110, 100, 150))
    scenes = [
        draw_scene(
            np.random.default_rng(seed), HEIGHT, WIDTH, objects=2, late={}, zoom=1.0, pictures=pictures_of(many),
            distractors=2,
        )
        for seed in range(8)
    ]  # fmt: skip
    for scene in scenes:
        assert sorted(layer.label for layer in scene.layers) == [0, 0, 0, 1, 2]


def test_same_seed_gives_same_batch_also_from_a_cold_photograph() -> None:
    def draw() -> Tensor:
        pictures = pictures_of(photograph((40, 80, 60, 110)), photograph((20, 60, 20, 70)))
        return draw_clips(
            [1, 2], torch.tensor([[0, 5]] * 2), 64, width=64, objects=1, zooms=[1, 2], pictures=pictures
        ).frames

    assert torch.equal(draw(), draw())


def test_share_of_photographed_scenes_is_as_asked() -> None:
    def is_photographed(seed: int, share: float) -> bool:
        ground = plain_scene(seed, pictures_of(ONE, photographed=share)).layers[0].texture
        return bool(ground.std((1, 2)).max() < 1e-3)  # one colour

    assert all(is_photographed(seed, 1.0) for seed in range(8))
    assert not any(is_photographed(seed, 0.0) for seed in range(8))
    assert 8 < sum(is_photographed(seed, 0.5) for seed in range(32)) < 24


def test_a_thing_that_is_joined_to_an_object_has_its_label_and_moves_as_it_does() -> None:
    scene = draw_scene(
        np.random.default_rng(3), HEIGHT, WIDTH, objects=2, late={}, zoom=1.0, pictures=pictures_of(ONE), distractors=1
    )
    layers, times = list(scene.layers), torch.tensor([0.0, 7.0, 30.0])
    index = next(at for at, layer in enumerate(layers) if layer.distance is not None and not layer.label)
    join(np.random.default_rng(0), layers)
    joined = layers[index]
    rider = next(layer for layer in layers if layer.label == joined.label and layer is not joined)
    apart = joined.pose(times, WIDTH) - rider.pose(times, WIDTH)
    torch.testing.assert_close(apart, apart[:1].expand_as(apart))
    assert float(apart[0, :2].norm()) == pytest.approx(0.6 * (rider.half_size + joined.half_size), rel=1e-4)
    assert torch.equal(joined.texture, scene.layers[index].texture)


def test_a_scene_whose_things_all_have_labels_stays_as_it_is() -> None:
    layers = list(plain_scene(0, pictures_of(ONE)).layers)
    before = list(layers)
    join(np.random.default_rng(0), layers)
    assert layers == before


def test_drawn_scenes_join_no_things(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixed clips that models are scored on are such scenes."""
    monkeypatch.setattr("stcn_core.synthetic.scene.JOINED_PROBABILITY", 1.0)
    for pictures, labels in ((None, [0, 0, 1]), (pictures_of(ONE), [0, 1, 1])):
        scene = draw_scene(
            np.random.default_rng(1), HEIGHT, WIDTH, objects=1, late={}, zoom=1.0, pictures=pictures, distractors=1
        )
        assert sorted(layer.label for layer in scene.layers) == labels
