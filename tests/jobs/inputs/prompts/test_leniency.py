"""One bad mask, crowd region or overlap need not cost a video: what goes on says so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jobs.errors import PromptError
from jobs.inputs.prompts.leniency import Leniency, OnOverlap
from jobs.inputs.prompts.prompt_builder import MAX_NOTE, MAX_NOTES
from tests.jobs.inputs.prompts.kinds import KINDS, coco_json, labels_of, prompts_of, write_json

LABELS = np.zeros((24, 32), np.int32)
LABELS[3:11, 4:15] = 1
LABELS[12:20, 10:22] = 2
SKIP = Leniency(on_bad_annotation="skip")


@pytest.mark.parametrize(
    "segmentation",
    [
        [],
        None,
        [[10, 10, 10, 15]],
        [[0.1, 0.1, 0.2, 0.1, 0.2, 0.2]],
        {"size": [24, 32], "counts": [5]},
        {"size": [2, 3]},
    ],
)
def test_annotation_without_a_usable_mask_is_skipped_on_request(segmentation: Any, tmp_path: Path) -> None:
    content = coco_json({0: LABELS})
    content["annotations"][1]["segmentation"] = segmentation
    path = write_json(tmp_path / "c.json", content)
    with pytest.raises(PromptError, match=r"\(--on-bad-annotation skip goes on without it\)"):
        prompts_of(path)
    prompts = prompts_of(path, leniency=SKIP)
    assert np.array_equal(prompts.labels[0], np.where(LABELS == 1, 1, 0))
    assert len(prompts.notes) == 1
    assert prompts.notes[0].startswith("annotation 9001 is left out: ")


@pytest.mark.parametrize("kind", ["indexed", "objects", "ytvis", "sa-v", "parquet", "coco-runs"])
def test_a_bad_mask_of_any_kind_is_left_out_and_its_reason_is_kept(kind: str, tmp_path: Path) -> None:
    """Its size is another one, as a mask of a thumbnail has."""
    path = KINDS[kind](tmp_path, {0: LABELS, 5: LABELS})
    (tmp_path / "small").mkdir()
    small = KINDS[kind](tmp_path / "small", {0: LABELS[::2, ::2], 5: LABELS[::2, ::2]})
    if path.is_dir():
        for file in small.rglob("00005.png"):
            file.replace(path / file.relative_to(small))
        prompts = prompts_of(path, size=LABELS.shape, leniency=SKIP)
        assert list(prompts.labels) == [0]
        assert "a mask is 16x12, its frame 32x24" in prompts.notes[0]
    else:
        with pytest.raises(PromptError, match="hold no object.* is left out: .*a mask is 16x12, its frame 32x24"):
            prompts_of(small, size=LABELS.shape, leniency=SKIP)


def test_truncated_mask_is_skipped_on_request(tmp_path: Path) -> None:
    folder = KINDS["indexed"](tmp_path, {0: LABELS, 5: LABELS})
    content = (folder / "00005.png").read_bytes()
    (folder / "00005.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(PromptError, match="00005.png cannot be read"):
        prompts_of(folder)
    assert list(prompts_of(folder, leniency=SKIP).labels) == [0]


def test_notes_are_bounded(tmp_path: Path) -> None:
    """They are stored in the log, with those of 255 other videos."""
    content = coco_json({0: LABELS})
    content["annotations"] += [
        {"id": "x" * 900 + str(n), "image_id": 500, "track_id": 3 + n, "segmentation": ["y" * 999]} for n in range(50)
    ]
    notes = prompts_of(write_json(tmp_path / "c.json", content), leniency=SKIP).notes
    assert len(notes) == MAX_NOTES
    assert all(len(note) <= MAX_NOTE for note in notes)


def test_crowd_regions_are_no_objects_unless_all_masks_are_marked(tmp_path: Path) -> None:
    content = coco_json({0: LABELS})
    content["annotations"][1]["iscrowd"] = 1
    path = write_json(tmp_path / "c.json", content)
    prompts = prompts_of(path)
    assert np.array_equal(prompts.labels[0], np.where(LABELS == 1, 1, 0))
    assert prompts.notes == ("annotations with iscrowd 1, each a region of many objects, are left out: 1",)
    assert np.array_equal(labels_of(path, void=0)[0], LABELS)
    content["annotations"][0]["iscrowd"] = 1
    with pytest.raises(PromptError, match="all 2 annotations of the video have iscrowd 1.*column void: none"):
        prompts_of(write_json(path, content))
    assert np.array_equal(labels_of(path, void=0)[0], LABELS)


@pytest.mark.parametrize(
    ("overlap", "order", "front"),
    [
        ("higher", ("2", "9"), 9), ("higher", ("9", "2"), 9), ("smaller", ("2", "9"), 2), ("smaller", ("9", "2"), 2),
        ("later", ("2", "9"), 9), ("later", ("9", "2"), 2), ("first", ("2", "9"), 2), ("first", ("9", "2"), 9),
    ],
)  # fmt: skip
def test_overlap_goes_to_the_object_in_front(
    overlap: OnOverlap, order: tuple[str, str], front: int, tmp_path: Path
) -> None:
    masks = {"2": np.zeros((24, 32), bool), "9": np.zeros((24, 32), bool)}
    masks["2"][4:12, 4:12] = True
    masks["9"][2:20, 8:30] = True
    content = coco_json({0: np.where(masks["2"], 1, 0)})
    (one,) = content["annotations"]
    del one["category_id"]
    coded = {
        name: coco_json({0: mask.astype(np.int32)})["annotations"][0]["segmentation"] for name, mask in masks.items()
    }
    content["annotations"] = [one | {"id": int(n), "track_id": int(n), "segmentation": coded[n]} for n in order]
    path = write_json(tmp_path / "c.json", content)
    with pytest.raises(PromptError, match=r"50% of 2's is shared; legal: up to 5%.*--overlap smaller, later, first"):
        prompts_of(path)
    prompts = prompts_of(path, leniency=Leniency(overlap=overlap))
    shared = masks["2"] & masks["9"]
    assert np.unique(prompts.labels[0][shared]).tolist() == [front]
    assert np.array_equal(prompts.labels[0] > 0, masks["2"] | masks["9"])
    assert prompts.notes[0].endswith(f"is shared; overlap is {overlap}")


def test_value_that_the_manifest_calls_void_is_none_in_masks_of_one_object(tmp_path: Path) -> None:
    mask = np.where(LABELS == 1, 1, np.where(LABELS == 2, 255, 0)).astype(np.uint8)
    (tmp_path / "m/7").mkdir(parents=True)
    Image.fromarray(mask).save(tmp_path / "m/7/00000.png")
    with pytest.raises(PromptError, match=r"has the values \[1, 255\] beside 0"):
        labels_of(tmp_path / "m")
    assert np.array_equal(labels_of(tmp_path / "m", void=255)[0], np.where(LABELS == 1, 7, 0))


def test_object_without_a_pixel_left_is_noted(tmp_path: Path) -> None:
    """Two detections of one thing."""
    content = coco_json({0: np.where(LABELS == 1, 1, 0)})
    (one,) = content["annotations"]
    content["annotations"] = [one, one | {"id": 9, "track_id": 2, "category_id": 12}]
    prompts = prompts_of(write_json(tmp_path / "c.json", content), leniency=Leniency(overlap="later"))
    assert np.unique(prompts.labels[0]).tolist() == [0, 2]
    assert "object 1 has no pixel left on frame 0, where others are in front of it" in prompts.notes
