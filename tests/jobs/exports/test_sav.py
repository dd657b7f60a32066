"""SA-V JSON as SAM 2's training reads it: `masklet[frame][object]` is an RLE for pycocotools, or null."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from pycocotools import mask as coco

from jobs.commands.export import export_output
from jobs.errors import UserError
from jobs.exports import mask_batches
from jobs.records import VideoRow
from tests.jobs.exports.outputs import blobs, rows, write

LABELS = [blobs(seed) for seed in range(9)]
NUMBERS, TEXTS = ({"type": "array", "items": {"type": kind}} for kind in ("number", "string"))
RLE = {
    "type": ["object", "null"],
    "properties": {"size": {**NUMBERS, "minItems": 2, "maxItems": 2}, "counts": {"type": "string"}},
    "required": ["size", "counts"],
}
SCHEMA = {  # the fields that SA-V's README lists
    "type": "object",
    "properties": {
        "video_id": {"type": "string"},
        "video_duration": {"type": ["number", "null"]},
        "video_frame_count": {"type": "number"},
        "video_height": {"type": "number"},
        "video_width": {"type": "number"},
        "video_resolution": {"type": "number"},
        "video_environment": {"type": ["string", "null"]},
        "video_split": {"const": "train"},
        "masklet": {"type": "array", "items": {"type": "array", "items": RLE}},
        "masklet_id": NUMBERS,
        "masklet_size_rel": NUMBERS,
        "masklet_size_abs": NUMBERS,
        "masklet_size_bucket": {"type": "array", "items": {"enum": ["small", "medium", "large"]}},
        "masklet_visibility_changes": NUMBERS,
        "masklet_first_appeared_frame": NUMBERS,
        "masklet_frame_count": NUMBERS,
        "masklet_edited_frame_count": NUMBERS,
        "masklet_type": TEXTS,
        "masklet_stability_score": {"type": "array", "items": {"type": "null"}},
        "masklet_num": {"type": "integer"},
    },
    "additionalProperties": False,
}


def exported(tmp_path: Path, start: int = 0) -> dict[str, Any]:
    video = VideoRow(
        video_id="clip",
        work_id="w",
        status="done",
        video="/none.mp4",
        prompts="p",
        frames_decoded=15,
        frames_per_second=25.0,
    )
    late = [
        row for row in rows("clip", LABELS, start=start) if row["object_id"] == 1 or row["frame_index"] >= start + 2
    ]
    output = write(tmp_path / "out", late, videos=[video])
    assert export_output(output, tmp_path / "dest", "sav").masks == 16
    return dict(json.loads((tmp_path / "dest/clip_manual.json").read_bytes()))


@pytest.mark.parametrize("rows_at_once", [2, 1000])
def test_masks_are_identical_and_missing_ones_null(
    rows_at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing: frames before the segmented window, and an object before its first prompt."""
    monkeypatch.setattr(mask_batches, "ROWS", rows_at_once)
    found = exported(tmp_path, start=3)
    assert found["masklet"][:3] == [[None, None]] * 3
    assert [of_frame[1] for of_frame in found["masklet"][3:5]] == [None, None]
    assert len(found["masklet"]) == 12
    for labels, of_frame in zip(LABELS, found["masklet"][3:], strict=True):
        for object_id, rle in enumerate(of_frame, start=1):
            assert rle is None or np.array_equal(coco.decode(rle).astype(bool), labels == object_id)


@pytest.mark.parametrize("rows_at_once", [2, 1000])
def test_fields_match_sa_v(rows_at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_batches, "ROWS", rows_at_once)
    found = exported(tmp_path)
    jsonschema.validate(found, SCHEMA | {"required": list(SCHEMA["properties"])})  # type: ignore[call-overload]
    visible = np.array([[t >= 2 * (i - 1) and (labels == i).any() for i in (1, 2)] for t, labels in enumerate(LABELS)])
    first = visible.argmax(axis=0)
    changes = [int(np.diff(visible[start:, i].astype(int)).astype(bool).sum()) for i, start in enumerate(first)]
    areas = [np.mean([(LABELS[t] == i + 1).sum() for t in np.flatnonzero(visible[:, i])]) for i in (0, 1)]
    assert found["masklet_first_appeared_frame"] == first.tolist()
    assert found["masklet_visibility_changes"] == changes
    assert found["masklet_size_abs"] == pytest.approx(areas)
    assert found["masklet_size_rel"] == pytest.approx([area / 2000 for area in areas])
    assert found["masklet_size_bucket"] == ["small" if area < 32**2 else "medium" for area in areas]
    assert (found["masklet_frame_count"], found["masklet_edited_frame_count"]) == ([9, 7], [1, 0])
    assert (found["video_duration"], found["video_frame_count"]) == (15 / 25, 15)


def test_huge_frame_index_raises(tmp_path: Path) -> None:
    """The format has an element for each object on each frame, which could fill the disk."""
    output = write(tmp_path / "out", rows("clip", [LABELS[1]], start=2**31 - 1))
    with pytest.raises(UserError, match="has 2 objects up to frame 2147483647"):
        export_output(output, tmp_path / "dest", "sav")
    assert not list((tmp_path / "dest").glob("*.json"))
