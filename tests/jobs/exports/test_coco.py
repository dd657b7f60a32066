"""pycocotools reads the masks of the output from the exported JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from jobs.commands.export import export_output
from jobs.errors import UserError
from tests.jobs.exports.outputs import blobs, rows, write

CLIPS = {"street": [blobs(seed) for seed in range(6)], 'b"ad\\name': [blobs(seed) for seed in range(6, 10)]}


def exported(tmp_path: Path, **options: Any) -> COCO:
    street = rows("street", CLIPS["street"], object_name='cat "7"\\n')
    output = write(tmp_path / "out", rows('b"ad\\name', CLIPS['b"ad\\name'], start=3), street)
    assert export_output(output, tmp_path / "dest", "coco", **options).masks == 20
    return COCO(str(tmp_path / "dest/annotations.json"))


def masks(coco: COCO) -> dict[tuple[str, int], list[tuple[int, np.ndarray]]]:
    """Track id and mask of each annotation, by video and frame."""
    names = {video["id"]: video["name"] for video in coco.dataset["videos"]}
    return {
        (names[image["video_id"]], image["frame_index"]): [
            (note["track_id"], coco.annToMask(note).astype(bool)) for note in coco.imgToAnns[image["id"]]
        ]
        for image in coco.imgs.values()
    }


def test_masks_are_identical_and_empty_ones_omitted(tmp_path: Path) -> None:
    coco = exported(tmp_path)
    found = masks(coco)
    assert len(found) == 10
    for (name, frame), of_frame in found.items():
        labels = CLIPS[name][frame - (0 if name == "street" else 3)]
        truth = [labels == object_id for object_id in (1, 2) if (labels == object_id).any()]
        assert len(of_frame) == len(truth)
        assert all(np.array_equal(mask, true) for (_, mask), true in zip(of_frame, truth, strict=True))
    assert any(len(of_frame) == 1 for of_frame in found.values())


def test_area_box_and_ids_match_the_masks(tmp_path: Path) -> None:
    coco = exported(tmp_path)
    for note in coco.anns.values():
        mask = coco.annToMask(note)
        (y, x), (left, top, width, height) = np.nonzero(mask), note["bbox"]
        assert note["area"] == mask.sum()
        assert (left, top, left + width - 1, top + height - 1) == (x.min(), y.min(), x.max(), y.max())
        assert note["iscrowd"] == 0
    image = coco.imgs[1]
    assert image["file_name"] == "b%22ad%5Cname/00003.jpg"
    assert (image["height"], image["width"]) == (40, 50)
    assert [category["name"] for category in coco.cats.values()] == ["object", 'cat "7"\\n']
    for numbers in (coco.imgs, coco.anns, coco.cats):
        assert list(numbers) == list(range(1, len(numbers) + 1))


def test_track_id_changes_with_object_scene_and_video(tmp_path: Path) -> None:
    first = rows("a", [blobs(1)] * 2, scene=0) + rows("a", [blobs(1)] * 2, start=2, scene=1)
    output = write(tmp_path / "out", first + rows("b", [blobs(1)]))
    export_output(output, tmp_path / "dest", "coco")
    notes = json.loads((tmp_path / "dest/annotations.json").read_bytes())["annotations"]
    assert [note["track_id"] for note in notes] == [1, 2, 1, 2, 3, 4, 3, 4, 5, 6]


def test_filled_polygons_equal_the_masks(tmp_path: Path) -> None:
    """IoU is 1, also with holes and several parts."""
    coco = exported(tmp_path, polygons=True)
    count = 0
    for (name, frame), of_frame in masks(coco).items():
        labels = CLIPS[name][frame - (0 if name == "street" else 3)]
        truth = [labels == object_id for object_id in (1, 2) if (labels == object_id).any()]
        for (_, mask), true in zip(of_frame, truth, strict=True):
            assert np.array_equal(mask, true)
            count += 1
    assert count == len(coco.anns) > 10
    assert isinstance(coco.anns[1]["segmentation"], list)


@pytest.mark.parametrize("counts", ["", "1", "o", "0P", '"}],"', "Zno0", "\\"])
def test_invalid_rle_raises_before_a_file_is_published(counts: str, tmp_path: Path) -> None:
    bad = rows("clip", CLIPS["street"])
    bad[5] |= {"counts": counts}
    with pytest.raises(UserError, match="object 2 on frame 2 of video 'clip' cannot be decoded"):
        export_output(write(tmp_path / "out", bad), tmp_path / "dest", "coco")
    assert not (tmp_path / "dest/annotations.json").exists()


def test_output_without_masks_exports_an_empty_dataset(tmp_path: Path) -> None:
    assert export_output(write(tmp_path / "out"), tmp_path / "dest", "coco").masks == 0
    assert COCO(str(tmp_path / "dest/annotations.json")).getImgIds() == []
