"""Helpers that the tests of selections share."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds

from jobs.inputs.prompts.images.mask_images import read_labels
from jobs.outputs import rle
from stcn_core.metrics import region_similarity


def table_of(output: Path | str) -> Any:
    return ds.dataset(f"{output}/masks").to_table()


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mean_region(output: Path, truth: Path) -> float:
    """Return the mean J of all masks that are not prompts."""
    values = []
    for row in table_of(output).filter(~ds.field("is_prompt")).to_pylist():
        true = read_labels(truth / row["video_id"] / f"{row['frame_index']:05d}.png") == row["object_id"]
        values.append(region_similarity(rle.decode(row["counts"], row["height"], row["width"]), true))
    return float(np.mean(values))
