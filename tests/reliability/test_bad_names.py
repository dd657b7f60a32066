"""Promise: what a name leads to is that video's row: no file, another kind of file, no end; or no text at all."""

import csv
import os
from pathlib import Path

import pytest

from tests.parts import VIDEOS, stcn
from tests.reliability.small_run import verified_rows

pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_unreadable_names_become_rows(archive: Path, model_file: Path, tmp_path: Path) -> None:
    for pipe in ("pipe.mp4", "pipe.parquet"):
        os.mkfifo(tmp_path / pipe)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "images").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/images/\xff.png")).write_bytes(b"no image")
    sound, prompts = archive / "videos/a.mp4", archive / "prompts/a"
    bad = {
        "pipe": ("pipe.mp4", prompts), "pipe as prompts": (sound, "pipe.parquet"), "device": ("/dev/zero", prompts),
        "loop": ("loop", prompts), "loop as prompts": (sound, "loop"), "long": ("x" * 300, prompts),
        "below a file": (sound / "x.mp4", prompts), "no UTF-8": ("images", prompts),
    }  # fmt: skip
    manifest = tmp_path / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("video_id", "video", "prompts"))
        writer.writerows((name, *places) for name, places in bad.items())
        writer.writerows((v.video_id, archive / f"videos/{v.video_id}.mp4", prompts) for v in VIDEOS[:1])
    output = str(tmp_path / "out")
    result = stcn("segment", manifest, output, "--model", model_file, "--max-attempts", "2", "--stall-seconds", "60")
    assert result.returncode == 3, result.stderr
    rows = verified_rows(output)
    assert rows.pop(VIDEOS[0].video_id).status == "done"
    assert set(rows) == set(bad)
    for name, row in rows.items():
        expected = "PromptError" if "prompts" in name else "VideoError"
        assert (row.status, row.error_class, row.attempts) == ("quarantined", expected, 1), row
    assert r"frame \udcff.png cannot be read" in str(rows["no UTF-8"].error_message)
