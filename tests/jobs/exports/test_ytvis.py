"""The YouTube-VIS JSON holds the masks of the output, one list for each track."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from jobs.commands.export import export_output
from jobs.exports import mask_batches
from tests.jobs.exports.outputs import blobs, rows, write

LABELS = [blobs(seed) for seed in range(9)]


def exported(output: str, dest: Path) -> dict[str, Any]:
    export_output(output, dest, "ytvis")
    return dict(json.loads((dest / "instances.json").read_bytes()))


def check(found: dict[str, Any], labels: list[np.ndarray], ids: list[int]) -> None:
    """The lists have an element for each frame: its value, or null."""
    for note, object_id in zip(found["annotations"], ids, strict=True):
        for t, true in enumerate(of_frame == object_id for of_frame in labels):
            assert (note["segmentations"][t] is None) == (note["bboxes"][t] is None) == (note["areas"][t] is None)
            assert (note["segmentations"][t] is None) == (not true.any())
            if true.any():
                assert np.array_equal(coco.decode(note["segmentations"][t]).astype(bool), true)
                assert note["bboxes"][t] == coco.toBbox(note["segmentations"][t]).tolist()
                assert note["areas"][t] == true.sum()
        lengths = {len(note[name]) for name in ("segmentations", "bboxes", "areas")}
        assert lengths == {note["length"]} == {len(labels)}


def test_masks_are_identical_and_missing_ones_null(tmp_path: Path) -> None:
    found = exported(write(tmp_path / "out", rows("clip", LABELS, object_name="cat")), tmp_path / "dest")
    check(found, LABELS, [1, 2])
    (video,) = found["videos"]
    assert video["file_names"] == [f"clip/{t:05d}.jpg" for t in range(9)]
    assert (video["height"], video["width"], video["length"]) == (40, 50, 9)
    assert found["categories"] == [{"id": 1, "name": "cat"}]


def test_batch_size_does_not_change_the_export(tmp_path: Path, monkeypatch: Any) -> None:
    """With tracks that end, start late or return, across batches."""
    labels = [blobs(seed, 3) for seed in range(9)]
    late = [row for row in rows("clip", labels, [1, 2, 3]) if row["object_id"] != 3 or row["frame_index"] > 4]
    output = write(tmp_path / "out", rows("a", LABELS), late)
    whole = exported(output, tmp_path / "whole")
    monkeypatch.setattr(mask_batches, "ROWS", 2)
    assert exported(output, tmp_path / "cut") == whole
    hidden = [np.where((of_frame == 3) & (t <= 4), 0, of_frame) for t, of_frame in enumerate(labels)]
    check({"annotations": whole["annotations"][2:]}, hidden, [1, 2, 3])
    assert [note["video_id"] for note in whole["annotations"]] == [1, 1, 2, 2, 2]
    assert [note["id"] for note in whole["annotations"]] == [1, 2, 3, 4, 5]
