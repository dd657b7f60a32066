"""Batches: reproducible by step, with synthetic and real clips in the recipe's shares."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jobs.errors import UserError
from jobs.training.batches import COPY_GAP, Plan, draw_shape, draw_walk, make_batch
from jobs.training.pictures import digest, load_pictures
from jobs.training.recipe import Size, Stage
from jobs.training.sequences import find_sequences
from stcn_core.training.drawn_batch import Shape, draw_times
from tests.jobs.training.trees import write_tree

STAGE = Stage(steps=10, learning_rate=1e-3, clips=2, sizes=(Size(height=64, width=64),), gaps=((0.0, 2), (0.5, 4)))


def test_batch_depends_on_seed_stage_step_and_rank() -> None:
    plan = Plan(stage=STAGE, number=0, seed=1)
    first, again = make_batch(plan, 3), make_batch(plan, 3)
    assert torch.equal(first.images, again.images)
    for other in (
        make_batch(plan, 4),
        make_batch(Plan(stage=STAGE, number=1, seed=1), 3),
        make_batch(Plan(stage=STAGE, number=0, seed=2), 3),
        make_batch(Plan(stage=STAGE, number=0, seed=1, rank=1), 3),
    ):
        assert other.images.shape != first.images.shape or not torch.equal(other.images, first.images)


def test_gaps_grow_and_larger_frames_get_fewer_clips() -> None:
    stage = Stage(
        **(
            STAGE.model_dump()
            | {"clips": 8, "sizes": [{"height": 64, "width": 64, "weight": 1e-9}, {"height": 128, "width": 128}]}
        )
    )
    shapes = [draw_shape(np.random.default_rng(0), stage, progress) for progress in (0.0, 0.25, 0.9)]
    assert [shape.longest_gap for shape in shapes] == [2, 3, 4]
    assert {(shape.height, shape.clips) for shape in shapes} == {(128, 2)}


def test_real_batches_come_in_their_share(tmp_path: Path) -> None:
    write_tree(tmp_path, {"one": 6, "two": 6})
    half = STAGE.model_copy(update={"drawn": 0.5})
    found = [make_batch(Plan(stage=half, number=0, seed=0, data=(str(tmp_path),)), step) for step in range(12)]
    real = [batch for batch in found if batch.surfaces is None]
    assert 2 <= len(real) <= 10
    assert all(batch.images.shape[2:] == (3, 64, 64) for batch in found)
    assert all(int(batch.labels.max()) in (1, 2) for batch in real)
    only = STAGE.model_copy(update={"drawn": 0.0})
    assert all(
        make_batch(Plan(stage=only, number=0, seed=0, data=(str(tmp_path),)), step).surfaces is None
        for step in range(3)
    )


def test_sparse_videos_keep_their_stride_and_single_frames_are_deformed(tmp_path: Path) -> None:
    write_tree(tmp_path, {"sparse": 6, "photograph": 1}, stride=5)
    sparse, single = sorted(find_sequences(str(tmp_path)), key=lambda sequence: -len(sequence.masks))
    assert (sparse.stride, len(sparse.masks), len(single.masks)) == (5, 6, 1)
    stage = STAGE.model_copy(update={"drawn": 0.0})
    for step in range(4):
        batch = make_batch(Plan(stage=stage, number=0, seed=0, data=(str(tmp_path),)), step)
        assert all(not torch.equal(clip[0], clip[1]) for clip in batch.images)
        assert {int(gap) for gap in batch.times.diff().abs().unique()} <= {5, 10, COPY_GAP}


def test_video_with_fewer_masks_than_frames_turns_at_its_ends(tmp_path: Path) -> None:
    write_tree(tmp_path, {"sparse": 3}, stride=5)
    stage = STAGE.model_copy(update={"drawn": 0.0, "frames": 6})
    batch = make_batch(Plan(stage=stage, number=0, seed=0, data=(str(tmp_path),)), 0)
    assert {int(gap) for gap in batch.times.diff().abs().unique()} == {5}


def test_walk_turns_only_where_masks_are_fewer_than_frames() -> None:
    def walks_of(masks: int) -> list[list[int]]:
        return [
            [index for index, _ in draw_walk(np.random.default_rng(seed), masks, 6, longest_gap=4)]
            for seed in range(40)
        ]

    found = {"".join(map(str, walk)) for walk in walks_of(3)}
    assert found == {"012101", "121012", "210121", "101210"}
    for masks in (6, 30):
        walks = walks_of(masks)
        assert all(len(set(walk)) == 6 and walk in (sorted(walk), sorted(walk)[::-1]) for walk in walks)
        assert {walk[0] < walk[-1] for walk in walks} == {False, True}


def test_short_gaps_of_synthetic_clips_are_as_likely_as_long_ones() -> None:
    """For a longest gap of 20, gaps of 1 or 2 frames are about as likely as gaps of 6 to 20: log(3) and log(21/6)."""
    times = torch.from_numpy(
        draw_times(
            np.random.default_rng(0), Shape(height=64, width=64, clips=2000, frames=3, objects=1, longest_gap=20)
        )
    )
    steps = times.diff()
    assert (int(steps.min()), int(steps.max())) == (1, 20)
    assert 0.8 < ((steps <= 2).sum() / (steps >= 6).sum()).item() < 1.0


def test_batch_holds_times_that_split_with_its_clips() -> None:
    batch = make_batch(Plan(stage=STAGE, number=0, seed=0), 9)
    assert batch.times.shape == batch.labels.shape[:2]
    first, second = batch.split(2)
    assert torch.equal(torch.cat([first.times, second.times]), batch.times)


def test_unusable_data_raises_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no JPEGImages and Annotations"):
        find_sequences(str(tmp_path))
    write_tree(tmp_path / "empty", {"one": 3}, objects=())
    with pytest.raises(UserError, match="hardly an object"):
        make_batch(
            Plan(stage=STAGE.model_copy(update={"drawn": 0.0}), number=0, seed=0, data=(str(tmp_path / "empty"),)), 0
        )
    write_tree(tmp_path / "damaged", {"one": 3})
    for path in (tmp_path / "damaged/JPEGImages/one").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(UserError, match="--data: .*jpg with .*png cannot be used"):
        make_batch(
            Plan(stage=STAGE.model_copy(update={"drawn": 0.0}), number=0, seed=0, data=(str(tmp_path / "damaged"),)), 0
        )


def test_pictures_are_sorted_by_alpha_and_identified_by_digest(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (90, 900, 3), dtype=np.uint8)).save(tmp_path / "wide.jpg")
    thing = rng.integers(0, 256, (60, 60, 4), dtype=np.uint8)
    thing[:30, :, 3] = 0
    thing[30:, :, 3] = 255
    Image.fromarray(thing).save(tmp_path / "thing.png")
    found = load_pictures(str(tmp_path))
    assert ([p.shape for p in found.photographs], len(found.cut_outs)) == ([(3, 80, 800)], 1)
    before = digest(str(tmp_path))
    (tmp_path / "thing.png").rename(tmp_path / "other.png")
    assert digest(str(tmp_path)) != before
    (tmp_path / "broken.png").write_bytes(b"")
    load_pictures.cache_clear()
    with pytest.raises(UserError, match=r"--textures: .*broken\.png cannot be read"):
        load_pictures(str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no pictures"):
        load_pictures(str(tmp_path / "empty"))
