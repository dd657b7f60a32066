"""A format that is one module and one line works with --frames, --help and resume."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli.__main__ import app
from jobs.commands.export import export_output
from jobs.errors import UserError
from jobs.exports import formats, mask_batches
from tests.jobs.exports import toy_format
from tests.jobs.exports.outputs import blobs, rows, tree, write
from tests.jobs.exports.test_frames import output_with_videos


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    formats.register(toy_format.FORMAT)  # the one line
    yield
    del formats.FORMATS["toy"]


def test_masks_and_frames_are_written_to_the_formats_places(tmp_path: Path) -> None:
    output, _ = output_with_videos(tmp_path)
    summary = export_output(output, tmp_path / "dest", "toy", frames=True)
    assert (summary.masks, summary.frames, list(summary.failures)) == (8, 3, ["gone\x1b"])
    written = tree(tmp_path / "dest")
    assert {name for name in written if "gone" not in name} == {
        "csv/clip.csv", *(f"frames/clip/{t:05d}.jpg" for t in (3, 4, 7))
    }  # fmt: skip
    expected = [f"{t},{i},{(blobs(t - 3) == i).sum()}" for t in (3, 4, 7) for i in (1, 2)]
    assert written["csv/clip.csv"].decode().splitlines()[1:] == expected


def test_complete_videos_are_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, dest = write(tmp_path / "out", rows("a", [blobs(1)]), rows("b", [blobs(2)] * 5, [1])), tmp_path / "dest"
    export_output(output, dest, "toy")
    before = tree(dest)
    monkeypatch.setattr(mask_batches.MasksFile, "videos", lambda *_: pytest.fail("read again"))
    assert export_output(output, dest, "toy").warnings == {"b": "it has 5 masks"}
    assert tree(dest) == before


def test_changed_output_is_exported_again(tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    output = write(tmp_path / "out", rows("a", [blobs(1)]), rows("b", [blobs(2)]))
    export_output(output, dest, "toy")
    sorted((tmp_path / "out/masks").iterdir())[0].unlink()
    assert export_output(output, dest, "toy").masks == 2
    assert list(tree(dest)) == ["csv/b.csv"]


def test_help_and_errors_list_the_format(tmp_path: Path) -> None:
    page = CliRunner().invoke(app, ["export", "--help"], terminal_width=200)
    assert (page.exit_code, "toy: a CSV for each video" in page.output) == (0, True)
    with pytest.raises(UserError, match=r"--format voc is not known; legal: .*, toy$"):
        export_output("out", tmp_path, "voc")
    with pytest.raises(UserError, match="--polygons is not usable with --format toy; legal: with coco"):
        export_output("out", tmp_path, "toy", polygons=True)


def test_name_that_is_taken_raises() -> None:
    with pytest.raises(ValueError, match="the format toy exists already; legal: a name other than coco"):
        formats.register(toy_format.FORMAT)
