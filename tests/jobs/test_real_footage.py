"""The command on real data sets and real video files: frames, times and sizes are those that the files hold."""

import csv
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from jobs.inputs.prompts.images.mask_images import read_labels
from jobs.inputs.videos.video import Video
from jobs.outputs import rle, store
from jobs.outputs.label_maps import to_image
from stcn_core import PropagationConfig, for_inference, load_model, propagate
from stcn_core.metrics import region_similarity
from tests.lengths import short_and_long
from tests.parts import SHARED, needs_shared, stcn

pytestmark = needs_shared


def segment(manifest: Path, output: Path, model_file: Path) -> dict[str, list[Any]]:
    """Run the command; the rows of each video."""
    options = ("--model", model_file, "--actors", "2", "--short-side", "96")
    result = stcn("segment", manifest, output, *options)
    assert result.returncode == 0, result.stderr
    rows: dict[str, list[Any]] = {}
    for row in (row for table in store.read_masks(str(output)) for row in table.to_pylist()):
        rows.setdefault(row["video_id"], []).append(row)
    return rows


@pytest.mark.heavy
@short_and_long("frames", short=[6], long=[16])
def test_reduced_precision_gives_the_masks_of_float32(frames: int) -> None:
    plain, config = load_model("stcn-mini"), PropagationConfig(short_side=240)
    models = [for_inference(plain, precision) for precision in (torch.float32, torch.bfloat16)]
    equal, overlaps = [], []
    for folder in sorted((SHARED / "davis2016-dev/JPEGImages").iterdir()):
        prompt = read_labels(sorted((SHARED / "davis2016-dev/Annotations" / folder.name).iterdir())[0])
        with Video(folder) as video:
            images = [frame.image for frame in islice(video, frames)]
        one, other = (np.stack([r.labels for r in propagate(m, images, {0: prompt}, config=config)]) for m in models)
        equal.append(np.mean(one == other))
        overlaps += [region_similarity(a > 0, b > 0) for a, b in zip(one, other, strict=True)]
    assert np.mean(equal) >= 0.995
    assert np.mean(overlaps) >= 0.99
    assert np.mean(equal) < 1  # bfloat16 is not float32


def test_judo_has_four_objects_that_come_one_by_one(ray_cluster: str, model_file: Path, tmp_path: Path) -> None:
    masks = segment(SHARED / "judo", tmp_path / "out", model_file)["judo"]
    firsts = {1: 0, 2: 5, 3: 8, 4: 13}
    expected = {(frame, i) for i, first in firsts.items() for frame in range(first, 16)}
    assert {(m["frame_index"], m["object_id"]) for m in masks} == expected
    assert {(m["frame_index"], m["object_id"]) for m in masks if m["is_prompt"]} == {(f, i) for i, f in firsts.items()}
    assert {(m["height"], m["width"]) for m in masks} == {(480, 854)}
    for mask in masks:
        if mask["is_prompt"]:
            given = read_labels(SHARED / f"judo/Annotations/{mask['frame_name']}.png") == mask["object_id"]
            found = rle.decode(mask["counts"], 480, 854)[:, : given.shape[1]]  # one mask is a pixel narrow
            assert np.mean(found != given) < 0.002


def test_davis_sequences_are_prompted_by_their_first_masks_only(
    ray_cluster: str, model_file: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    masks = segment(SHARED / "davis2016-dev", output, model_file)
    assert set(masks) == {"blackswan", "car-shadow", "libby", "motocross-jump"}
    for name, rows in masks.items():
        images = sorted((SHARED / "davis2016-dev/JPEGImages" / name).iterdir())
        assert [row["frame_name"] for row in rows] == [path.stem for path in images]
        assert {(row["object_id"], row["height"], row["width"]) for row in rows} == {(255, 480, 854)}
        assert [row["frame_index"] for row in rows if row["is_prompt"]] == [0]
    scores = stcn("evaluate", output, "--truth", SHARED / "davis2016-dev")
    assert scores.returncode == 0
    assert "void object: 255 is the only object (4 videos)" in scores.stdout
    assert [line.split()[2] for line in scores.stdout.splitlines()[1:5]] == ["48", "38", "47", "38"]


@short_and_long("limit", short=[20], long=[120])  # frames of a video; the longest has 3,678
def test_video_files_give_all_frames_at_their_own_times(
    limit: int, ray_cluster: str, model_file: Path, tmp_path: Path
) -> None:
    held = {path.stem: _held(path) for path in sorted((SHARED / "videos").glob("*.mp4"))}
    assert len(held) == 5
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("video_id", "video", "prompts", "end"))
        for name, (_, height, width) in held.items():
            labels = np.zeros((height, width), np.int32)
            labels[height // 4 : height // 2, width // 4 : width // 2] = 1
            to_image(labels).save(tmp_path / f"{name}.png")
            writer.writerow((name, SHARED / f"videos/{name}.mp4", f"{name}.png", limit))
    masks = segment(tmp_path / "manifest.csv", tmp_path / "out", model_file)
    for name, (times, height, width) in held.items():
        rows = masks[name]
        assert [row["frame_index"] for row in rows] == list(range(min(len(times), limit)))
        assert [row["pts_seconds"] for row in rows] == pytest.approx(times[:limit])
        assert {(row["height"], row["width"]) for row in rows} == {(height, width)}


def _held(path: Path) -> tuple[list[float], int, int]:
    """Presentation times, height and width, from the packets' headers: nothing is decoded."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = sorted(float(p.pts * p.time_base) for p in container.demux(stream) if p.pts is not None)
        return times, stream.height, stream.width
