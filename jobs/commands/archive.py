"""Drawn archives with known masks: H.264 files, prompts, truth, and a manifest."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from jobs.outputs.label_maps import to_image
from jobs.outputs.video_writer import VideoWriter
from stcn_core.synthetic.clips import draw_clip


@dataclass(frozen=True, kw_only=True)
class DrawnVideo:
    """The parameters of one clip to draw."""

    video_id: str
    seed: int
    frames: int
    height: int
    width: int
    rate: Fraction
    objects: int
    late: Mapping[int, int] = field(default_factory=dict)  # object id -> the frame on which it appears
    broken: bool = False  # truncate the file to half its length


def draw_archive(videos: list[DrawnVideo], folder: Path) -> Path:
    """Write videos/, prompts/, truth/ and manifest.csv to a folder. Returns the path of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("video_id", "video", "prompts"))
        for video in videos:
            _draw(video, folder)
            writer.writerow((video.video_id, f"videos/{video.video_id}.mp4", f"prompts/{video.video_id}"))
    return manifest


def first_masks(labels: np.ndarray) -> dict[int, np.ndarray]:
    """Return prompts, frame -> label map (H, W), with each object on the first frame on which it is visible.

    labels: label maps (T, H, W).
    """
    prompts: dict[int, np.ndarray] = {}
    for object_id in range(1, int(labels.max()) + 1):
        frame = int((labels == object_id).any(axis=(1, 2)).argmax())
        prompt = prompts.setdefault(frame, np.zeros_like(labels[0]))
        prompt[labels[frame] == object_id] = object_id
    return prompts


def _draw(video: DrawnVideo, folder: Path) -> None:
    clip = draw_clip(
        video.seed, range(video.frames), video.height, width=video.width, objects=video.objects, late=video.late
    )
    path = folder / "videos" / f"{video.video_id}.mp4"
    with VideoWriter(path, video.rate) as writer:
        for image in clip.frames:
            writer.write(image)
    if video.broken:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # this removes the index, which is at the end
    _write_masks(folder / "prompts" / video.video_id, first_masks(clip.labels))
    _write_masks(folder / "truth" / video.video_id, dict(enumerate(clip.labels)))


def _write_masks(folder: Path, labels: Mapping[int, np.ndarray]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for frame, label_map in labels.items():
        to_image(label_map).save(folder / f"{frame:05d}.png")
