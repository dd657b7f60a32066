"""Helpers that the tests of the data set share."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from jobs.dataset.sample import Sample
from jobs.inputs.videos.video import Video
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs import store
from jobs.outputs.label_maps import label_maps
from tests.jobs.drawn_output import FRAMES

ALL = {**FRAMES, "images": FRAMES["a"]}
ORDER = [(video_id, index) for video_id in sorted(ALL) for index in range(ALL[video_id])]


def place_of(sample: Sample) -> tuple[str, int]:
    return sample["video_id"], sample["frame_index"]


def labels_of(sample: Sample) -> np.ndarray:
    labels = torch.zeros(sample["image"].shape[1:], dtype=torch.int32)
    for object_id, mask in zip(sample["ids"].tolist(), sample["masks"], strict=True):
        labels[mask] = object_id
    return labels.numpy()


def check_all(samples: list[Sample], output: str) -> None:
    """Check that every frame is there once, with its picture and the label map that `stcn export` writes."""
    assert Counter(map(place_of, samples)) == Counter(ORDER)
    found = {place_of(sample): sample for sample in samples}
    videos = {row.video_id: row.video for row in store.read_videos(f"{output}/{store.VIDEOS_FILE}")}
    for masks in masks_by_video(output):
        maps = {index: labels for index, _, labels in label_maps(masks)}
        with Video(Path(videos[masks.video_id])) as video:
            for frame in video:
                sample = found[masks.video_id, frame.index]
                assert np.array_equal(sample["image"].permute(1, 2, 0).numpy(), frame.image)
                assert np.array_equal(labels_of(sample), maps[frame.index])


def all_of(dataset: "Dataset[Any]", **options: Any) -> list[Sample]:
    loader = DataLoader(
        dataset, batch_size=4, collate_fn=list, timeout=120 if options.get("num_workers") else 0, **options
    )
    return [sample for batch in loader for sample in batch]
