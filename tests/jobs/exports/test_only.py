"""`--only` exports the videos asked for, as if the output held no others."""

from pathlib import Path

import pytest

from jobs.commands.export import export_output
from jobs.errors import UserError
from jobs.exports.formats import FORMATS
from jobs.records import VideoRow
from tests.jobs.exports.outputs import blobs, rows, tree, write

CLIPS = [f"clip{n}" for n in range(6)]
ONLY = ["clip1", "clip4"]


def output_of(folder: Path, *, holding: list[str]) -> str:
    """Three files of two videos each, without the videos that are not held."""
    masks = {name: rows(name, [blobs(n + t) for t in range(4)], object_name=name) for n, name in enumerate(CLIPS)}
    files = [[row for name in CLIPS[n : n + 2] if name in holding for row in masks[name]] for n in (0, 2, 4)]
    videos = [
        VideoRow(
            video_id=name, work_id="w", status="done", video="v", prompts="p",
            masks_file=f"{n // 2:08d}-{n // 2:016x}.parquet",
        )
        for n, name in enumerate(CLIPS)
        if name in holding
    ]  # fmt: skip
    output = write(folder, *files, videos=videos)
    for path, of_file in zip(sorted((folder / "masks").iterdir()), files, strict=True):
        if not of_file:
            path.unlink()
    return output


@pytest.mark.parametrize("format", FORMATS)
def test_only_exports_as_if_the_output_held_no_other_videos(format: str, tmp_path: Path) -> None:
    whole, part = output_of(tmp_path / "whole", holding=CLIPS), output_of(tmp_path / "part", holding=ONLY)
    assert export_output(whole, tmp_path / "only", format, only=ONLY).masks == 16
    assert export_output(part, tmp_path / "alone", format).masks == 16
    assert tree(tmp_path / "only") == tree(tmp_path / "alone")


def test_a_destination_keeps_to_the_videos_that_it_was_begun_with(tmp_path: Path) -> None:
    output, dest = output_of(tmp_path / "out", holding=CLIPS), tmp_path / "dest"
    export_output(output, dest, "davis", only=ONLY)
    before = tree(dest)
    export_output(output, dest, "davis", only=ONLY[::-1])
    for only in (None, ["clip1"]):
        with pytest.raises(UserError, match=r"holds another export: .* only \['clip1', 'clip4'\]"):
            export_output(output, dest, "davis", only=only)
    assert tree(dest) == before


def test_an_id_without_masks_is_refused_by_name_before_anything_is_written(tmp_path: Path) -> None:
    output = output_of(tmp_path / "out", holding=CLIPS)
    with pytest.raises(UserError, match="has no masks of 'typo'; legal: ids of videos that are done, such as 'clip0'"):
        export_output(output, tmp_path / "dest", "coco", only=["clip1", "typo"])
    assert not (tmp_path / "dest").exists()
