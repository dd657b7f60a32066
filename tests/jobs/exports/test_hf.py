"""The Parquet files have the schema that `datasets` reads; docs/EXPORT.md has a check with `datasets` itself."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pycocotools import mask as coco

from jobs.commands.export import export_output
from jobs.exports.hf import schema
from tests.jobs.exports.outputs import blobs, rows, write

LABELS = [blobs(seed) for seed in range(6)]


def test_masks_are_identical_with_one_row_per_frame(tmp_path: Path) -> None:
    clips = [rows("clip", LABELS, object_name="cat", frame_name=list("abcdef")), rows("other", LABELS[:2], start=7)]
    output = write(tmp_path / "out", *clips)
    assert export_output(output, tmp_path / "dest", "hf").masks == 16
    paths = sorted((tmp_path / "dest/data").iterdir())
    assert all(path.name.startswith("train-") for path in paths)
    frames = pa.concat_tables([pq.read_table(path) for path in paths]).to_pylist()
    assert [(row["video_id"], row["frame_index"]) for row in frames] == [
        *(("clip", t) for t in range(6)), ("other", 7), ("other", 8),
    ]  # fmt: skip
    for row, labels in zip(frames, LABELS + LABELS[:2], strict=True):
        assert row["object_ids"] == [1, 2]
        for object_id, counts, area, box in zip(
            row["object_ids"], row["rles"], row["areas"], row["boxes"], strict=True
        ):
            rle = {"counts": counts, "size": [row["height"], row["width"]]}
            assert np.array_equal(coco.decode(rle).astype(bool), labels == object_id)
            assert area == (labels == object_id).sum()
            assert box == coco.toBbox(rle).tolist()
    assert (frames[0]["object_names"], frames[0]["frame_name"], frames[0]["scores"]) == (["cat"] * 2, "a", [0.5] * 2)


def test_metadata_declares_the_features_of_datasets() -> None:
    """Spelled as `datasets` 2 to 5 read them."""
    columns = schema(with_images=True)
    features = json.loads(columns.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == columns.names
    assert features["image"] == {"_type": "Image"}
    assert columns.field("image").type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    assert features["pts_seconds"] == {"dtype": "float64", "_type": "Value"}
    assert features["scores"] == {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
    assert features["is_prompt"]["feature"] == {"dtype": "bool", "_type": "Value"}
    inner = {"feature": {"dtype": "int32", "_type": "Value"}, "length": 4, "_type": "Sequence"}
    assert features["boxes"] == {"feature": inner, "_type": "Sequence"}
    assert columns.field("boxes").type == pa.list_(pa.list_(pa.int32(), 4))
