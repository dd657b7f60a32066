"""An item is a frame of the output with its masks, in any reading order."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from jobs.dataset.mask_dataset import MaskDataset, collate
from jobs.errors import UserError
from jobs.records import VideoRow
from tests.jobs.dataset.samples import ORDER, check_all, labels_of, place_of
from tests.jobs.drawn_output import mask_rows, true_labels, write_masks, write_record


def test_items_are_frames_in_order_with_the_exported_masks(output: str) -> None:
    dataset = MaskDataset(output)
    assert len(dataset) == len(ORDER)
    samples = list(dataset)
    assert [place_of(sample) for sample in samples] == ORDER
    check_all(samples, output)
    assert place_of(dataset[-1]) == ORDER[-1]
    with pytest.raises(IndexError):
        dataset[len(ORDER)]


def test_items_do_not_depend_on_reading_order(output: str) -> None:
    """Reads forward and backward in the open video, and in other videos."""
    dataset, whole = MaskDataset(output), list(MaskDataset(output))
    for place in [3, 7, 7, 2, 40, 41, 45, 0, 44, *np.random.default_rng(0).permutation(len(whole)).tolist()]:
        assert place_of(dataset[place]) == ORDER[place]
        assert torch.equal(dataset[place]["image"], whole[place]["image"])
        assert torch.equal(dataset[place]["masks"], whole[place]["masks"])


def test_item_has_typed_tensors_names_and_times(output: str) -> None:
    sample = MaskDataset(output)[ORDER.index(("e", 3))]
    n = len(sample["ids"])
    assert {name: (value.dtype, tuple(value.shape)) for name, value in sample.items() if torch.is_tensor(value)} == {
        "image": (torch.uint8, (3, 48, 64)), "masks": (torch.bool, (n, 48, 64)), "boxes": (torch.float32, (n, 4)),
        "labels": (torch.int64, (n,)), "ids": (torch.int64, (n,)), "scores": (torch.float32, (n,)),
    }  # fmt: skip
    assert sample["names"] == [f"object {i}" for i in sample["ids"].tolist()]
    assert sample["scores"].tolist() == [0.25] * n
    assert sample["pts_seconds"] == 3 / 24
    for (left, top, right, bottom), mask in zip(sample["boxes"].int().tolist(), sample["masks"], strict=True):
        assert mask[top:bottom, left:right].sum() == mask.sum() > 0
        assert all(side.any() for side in (mask[top], mask[bottom - 1], mask[:, left], mask[:, right - 1]))


def test_invisible_object_has_a_mask_only_with_keep_empty(archive: Path, tmp_path: Path) -> None:
    """A frame without visible objects stays an item."""
    labels = true_labels(archive, "b")  # object 2 comes on frame 4
    labels[1][:] = 0
    write_masks(str(tmp_path), "b", mask_rows("b", labels))
    write_record(
        str(tmp_path),
        [VideoRow(video_id="b", work_id="w", status="done", video=f"{archive}/videos/b.mp4", prompts="p")],
    )
    dropped = [sample["ids"].tolist() for sample in MaskDataset(str(tmp_path))]
    assert dropped[:5] == [[1], [], [1], [1], [1, 2]]
    nothing = MaskDataset(str(tmp_path))[1]
    assert (nothing["masks"].shape, nothing["boxes"].shape) == ((0, 50, 70), (0, 4))
    kept = MaskDataset(str(tmp_path), keep_empty=True)[1]
    assert (kept["ids"].tolist(), kept["boxes"].tolist()) == ([1, 2], [[0.0] * 4] * 2)


def test_scaled_masks_match_the_scaled_frames(output: str) -> None:
    full, half = MaskDataset(output), MaskDataset(output, short_side=24)
    for place in (0, ORDER.index(("b", 5)), ORDER.index(("images", 2))):
        one, other = full[place], half[place]
        height, width = other["image"].shape[1:]
        assert min(height, width) == 24
        assert other["masks"].shape[1:] == (height, width)
        share = np.mean([labels_of(sample).astype(bool).mean() for sample in (one, other)])
        assert labels_of(one).astype(bool).mean() == pytest.approx(share, rel=0.1)
        assert (other["boxes"][:, 2:] <= torch.tensor([width, height])).all()


def test_videos_selects_videos_and_refuses_unknown_ids(output: str) -> None:
    dataset = MaskDataset(output, videos={"images", "b"})
    assert dataset.video_ids == ["b", "images"]
    assert [place_of(sample) for sample in dataset] == [place for place in ORDER if place[0] in ("b", "images")]
    with pytest.raises(UserError, match="no masks of 'd'"):
        MaskDataset(output, videos=["a", "d"])


def test_transform_is_applied_to_each_item(output: str) -> None:
    assert MaskDataset(output, transform=place_of)[5] == ORDER[5]
    assert list(MaskDataset(output, transform=place_of).stream(shuffle=False)) == ORDER


def test_collate_builds_batches_for_detection_models(output: str) -> None:
    images, targets = next(iter(DataLoader(MaskDataset(output), batch_size=3, collate_fn=collate)))
    assert [tuple(image.shape) for image in images] == [(3, 48, 64)] * 3
    assert all(image.dtype == torch.float32 and 0.5 < image.max() <= 1 for image in images)
    assert all({"boxes", "labels", "masks"} <= set(target) and "image" not in target for target in targets)


def test_import_loads_neither_ray_nor_networks() -> None:
    script = """
import sys
import jobs.dataset.mask_dataset
assert not {"ray", "stcn_core.models.stcn", "stcn_core.models.network"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
