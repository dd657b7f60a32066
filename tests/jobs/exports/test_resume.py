"""A killed export resumes, and writes the same bytes as an undisturbed one."""

import time
from pathlib import Path

import pytest

from jobs.commands.export import export_output
from jobs.concurrency import interrupt
from jobs.errors import UserError
from jobs.exports import mask_batches
from jobs.exports.formats import FORMATS
from jobs.exports.journal import FOLDER, Journal
from tests.jobs.exports.outputs import blobs, rows, tree, write
from tests.preloaded.process import Process

pytestmark = pytest.mark.heavy

SLOW = """
import sys, time
from pathlib import Path
from jobs.commands.export import export_output
from jobs.exports import mask_batches
mask_batches.ROWS = 10
sorted_out = mask_batches._disorder
def slowly(table):
    print("row", flush=True)
    time.sleep(0.02)
    return sorted_out(table)
mask_batches._disorder = slowly
export_output(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
"""


def archive(tmp_path: Path) -> str:
    """Three files of two videos each, in 72 batches of 10 rows."""
    clips = [rows(f"clip{n}", [blobs(t + n) for t in range(60)], object_name=f"kind {n % 4}") for n in range(6)]
    return write(tmp_path / "out", clips[0] + clips[1], clips[2] + clips[3], clips[4] + clips[5])


def kill_after(batches: int, output: str, dest: Path, format: str) -> bool:
    """Export, and kill -9 the process in the middle; returns whether it was still running."""
    with Process("-c", SLOW, output, dest, format, pipe=True) as process:
        assert process.stdout
        for _ in range(batches):
            process.stdout.readline()
        time.sleep(0.01)
        return process.poll() is None  # it is killed here


@pytest.mark.parametrize("format", FORMATS)
def test_killed_export_resumes_to_the_same_bytes(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_batches, "ROWS", 10)
    output, dest = archive(tmp_path), tmp_path / "dest"
    for batches in (15, 30, 5):
        assert kill_after(batches, output, dest, format)
    undisturbed = export_output(output, tmp_path / "alone", format)
    assert export_output(output, dest, format).masks == undisturbed.masks == 720
    assert tree(dest) == tree(tmp_path / "alone")
    assert sorted(path.name for path in (dest / FOLDER).iterdir()) == ["done.jsonl", "lock"]


@pytest.mark.parametrize("format", FORMATS)
def test_complete_files_are_not_written_again(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their masks are not even read."""
    output, dest = archive(tmp_path), tmp_path / "dest"
    export_output(output, dest, format)
    before = tree(dest)
    with monkeypatch.context() as patch:
        patch.setattr(mask_batches.MasksFile, "videos", lambda *_: pytest.fail("read again"))
        assert export_output(output, dest, format).masks == 720
    assert tree(dest) == before


@pytest.mark.parametrize("format", ["coco", "davis", "sav", "hf"])
def test_changed_videos_are_exported_again_and_removed_ones_deleted(format: str, tmp_path: Path) -> None:
    output, dest = archive(tmp_path), tmp_path / "dest"
    export_output(output, dest, format)
    first, _, last = sorted((tmp_path / "out/masks").iterdir())
    last.unlink()
    write(tmp_path / "new", rows("clip0", [blobs(99)]))
    next((tmp_path / "new/masks").iterdir()).replace(first)
    export_output(output, dest, format)
    export_output(output, tmp_path / "alone", format)
    assert tree(dest) == tree(tmp_path / "alone")


@pytest.mark.parametrize("format", ["coco", "ytvis"])
def test_ids_continue_from_changed_parts(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that was complete may now follow a part with fewer masks."""
    output, dest = archive(tmp_path), tmp_path / "dest"
    first, _, last = sorted((tmp_path / "out/masks").iterdir())
    content = last.read_bytes()
    last.write_bytes(content[:-9])
    with pytest.raises(UserError, match="is damaged"):
        export_output(output, dest, format)
    last.write_bytes(content)
    write(tmp_path / "new", rows("clip0", [blobs(99)]))
    next((tmp_path / "new/masks").iterdir()).replace(first)
    export_output(output, dest, format)
    export_output(output, tmp_path / "alone", format)
    assert tree(dest) == tree(tmp_path / "alone")


def test_deleted_files_are_written_again_and_foreign_files_kept(tmp_path: Path) -> None:
    output, dest = archive(tmp_path), tmp_path / "dest"
    export_output(output, dest, "sav")
    before = tree(dest)
    (dest / "clip3_manual.json").unlink()
    (dest / "notes.txt").write_text("mine")
    export_output(output, dest, "sav")
    assert tree(dest) == before | {"notes.txt": b"mine"}


def test_foreign_files_are_never_replaced(tmp_path: Path) -> None:
    """A folder with the name of a video may be the video itself."""
    output = archive(tmp_path)
    for format, name in (("davis", "clip2"), ("coco", "annotations.json"), ("yolo", "data.yaml")):
        (tmp_path / format / name).mkdir(parents=True)
        (tmp_path / format / name / "mine.jpg").write_text("mine")
        with pytest.raises(UserError, match=f"{name} exists, and no export wrote it"):
            export_output(output, tmp_path / format, format)
        assert (tmp_path / format / name / "mine.jpg").read_text() == "mine"


def test_destination_of_another_export_is_refused(tmp_path: Path) -> None:
    output, dest = archive(tmp_path), tmp_path / "dest"
    export_output(output, dest, "sav")
    with pytest.raises(UserError, match="holds another export: format sav"):
        export_output(output, dest, "coco")
    with Journal(tmp_path / "other", {}), pytest.raises(UserError, match="another process exports"):
        export_output(output, tmp_path / "other", "coco")


def test_interrupt_stops_between_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupt, "check", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_output(archive(tmp_path), tmp_path / "dest", "davis")
