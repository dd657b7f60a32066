"""Folders of photographs with masks: what is read from them, what is refused, and batches of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jobs.errors import UserError
from jobs.training.annotated import SHORT_SIDE, find_annotated, load_annotated
from jobs.training.batches import Plan, make_batch
from jobs.training.config import TrainingConfig
from jobs.training.provenance import collect_provenance
from jobs.training.recipe import Size, Stage, read_recipe

STAGE = Stage(steps=10, learning_rate=1e-3, clips=2, sizes=(Size(height=64, width=64),), photographed=1.0)


def write_photographs(folder: Path, *masks: np.ndarray) -> str:
    """Write noise with each mask (H, W); its objects are red."""
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number, mask in enumerate(masks):
        picture = np.where(mask[..., None] > 0, [230, 10, 10], rng.integers(0, 120, (*mask.shape, 3)))
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"images/{number}.jpg")
        Image.fromarray(mask.astype(np.uint8)).save(folder / f"masks/{number}.png")
    return str(folder)


def mask_with(*ids: int, size: tuple[int, int] = (90, 160)) -> np.ndarray:
    """A mask with a square of each id, side by side."""
    mask = np.zeros(size, int)
    for index, number in enumerate(ids):
        mask[30:60, 10 + 40 * index : 40 + 40 * index] = number
    return mask


def test_ids_are_objects_and_255_beside_others_is_void(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path, mask_with(1, 7, 255), mask_with(255), mask_with())
    found = load_annotated(folder)
    assert [[placed.id for placed in photograph.objects] for photograph in found] == [[1, 7], [255], []]


def test_large_photographs_are_scaled_with_their_masks(tmp_path: Path) -> None:
    large = np.kron(mask_with(3), np.ones((8, 8), int))
    (found,) = load_annotated(write_photographs(tmp_path, large))
    assert found.picture.shape == (3, SHORT_SIDE, round(160 / 90 * SHORT_SIDE))
    assert found.ids.shape == found.picture.shape[1:]
    assert found.ids.unique().tolist() == [0, 3]
    assert found.objects[0].centre == pytest.approx((25 / 90 * SHORT_SIDE, SHORT_SIDE / 2), abs=1)


def test_unusable_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no folder images; legal"):
        find_annotated(str(tmp_path))
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="has no folder masks; legal"):
        find_annotated(str(tmp_path))
    (tmp_path / "masks").mkdir()
    with pytest.raises(UserError, match="holds no pictures; legal"):
        find_annotated(str(tmp_path))
    write_photographs(tmp_path / "one", mask_with(1), mask_with(2))
    (tmp_path / "one/masks/1.png").rename(tmp_path / "one/masks/2.png")
    with pytest.raises(UserError, match=r"images/1\.jpg has no mask .*masks/1\.png; legal"):
        find_annotated(str(tmp_path / "one"))
    with pytest.raises(UserError, match="no mask shows an object of usable size; legal"):
        load_annotated(write_photographs(tmp_path / "empty", mask_with()))
    (tmp_path / "empty/masks/0.png").write_bytes(b"")
    load_annotated.cache_clear()
    with pytest.raises(UserError, match=r"images/0\.jpg with .*masks/0\.png cannot be used"):
        load_annotated(str(tmp_path / "empty"))


def test_batch_shows_photographs_and_depends_on_its_step_alone(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path, mask_with(1, 2, 3), mask_with(1))
    plan = Plan(stage=STAGE, number=0, seed=0, images=(folder,))
    first, again, other = make_batch(plan, 1), make_batch(plan, 1), make_batch(plan, 2)
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)
    without = make_batch(Plan(stage=STAGE, number=0, seed=0), 1)
    assert not torch.equal(first.images, without.images)


def test_model_card_identifies_photographs_and_their_masks_alone(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "cats", mask_with(1))
    config = TrainingConfig(output="model.safetensors", images=[folder])

    def digests() -> object:
        return collect_provenance(config, read_recipe("mini"))["images"]

    before = digests()
    (tmp_path / "cats/notes.png").write_bytes(b"none of either")
    assert digests() == before
    Image.fromarray(mask_with(2).astype(np.uint8)).save(tmp_path / "cats/masks/0.png")
    assert digests() != before
    assert "--images cats" in config.command()
