"""YOLO labels as ultralytics reads them: class and polygon on each line, coordinates from 0 to 1."""

from pathlib import Path

import numpy as np
import yaml
from pycocotools import mask as coco

from jobs.commands.export import export_output
from tests.jobs.exports.outputs import HEIGHT, WIDTH, blobs, rows, write

LABELS = [blobs(seed) for seed in range(6)]
NAMES = ["a: b", 'quote"s\\', "\x1b[2J\u2028", "\U0001f3a5"]


def test_filled_polygons_match_the_masks_except_connecting_lines(tmp_path: Path) -> None:
    output = write(tmp_path / "out", rows("clip", LABELS))
    assert export_output(output, tmp_path / "dest", "yolo").masks == 12
    paths = sorted((tmp_path / "dest/labels/clip").iterdir())
    assert [path.name for path in paths] == [f"{t:05d}.txt" for t in range(6)]
    for path, labels in zip(paths, LABELS, strict=True):
        lines = [line.split() for line in path.read_text().splitlines()]
        truth = [labels == object_id for object_id in (1, 2) if (labels == object_id).any()]
        for (number, *values), true in zip(lines, truth, strict=True):
            points = np.array(values, float).reshape(-1, 2)
            assert number == "0"
            assert ((points >= 0) & (points <= 1)).all()
            polygon = (points * (WIDTH, HEIGHT)).ravel().tolist()
            filled = coco.decode(coco.frPyObjects([polygon], HEIGHT, WIDTH))[..., 0].astype(bool)
            assert (filled & true).sum() / (filled | true).sum() > 0.98


def test_class_names_survive_yaml_and_keep_their_numbers(tmp_path: Path) -> None:
    """Also when a video is added later that sorts first."""
    clips = [rows(f"clip{n}", [blobs(1)], object_name=name) for n, name in enumerate(NAMES)]
    output = tmp_path / "out"
    write(output, clips[1] + clips[2])
    for files in ([], [clips[0] + clips[3]]):
        if files:
            write(tmp_path / "more", *files)
            (tmp_path / "more/masks/00000000-0000000000000000.parquet").rename(output / "masks/00000001.parquet")
        export_output(str(output), tmp_path / "dest", "yolo")
    data = yaml.safe_load((tmp_path / "dest/data.yaml").read_text())
    assert data["names"] == dict(enumerate([NAMES[1], NAMES[2], NAMES[0], NAMES[3]]))
    for folder, number in zip(("clip0", "clip1", "clip2", "clip3"), "2013", strict=True):
        (path,) = (tmp_path / "dest/labels" / folder).iterdir()
        assert path.read_text()[:2] == f"{number} "
    assert (data["train"], data["val"], data.get("path")) == ("images", "images", None)
