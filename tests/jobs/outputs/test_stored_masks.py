"""Masks are read back video by video; damage, and what somebody else may have written, is named and bounded."""

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.commands.evaluate import evaluate_output
from jobs.commands.export import export_output
from jobs.commands.overlay import overlay_output
from jobs.errors import UserError
from jobs.io import storage
from jobs.ledger.video_masks import masks_by_video
from jobs.outputs import store
from jobs.outputs.label_maps import to_image
from jobs.records import VideoRow
from tests.bit_flips import check_flips_are_told
from tests.jobs.commands.test_evaluate import FOUND, rows
from tests.jobs.commands.test_export import write_run
from tests.parts import stcn

PEAK_BYTES = 20 * 2**20  # Python's, of a file that claims 3.6 GB; an intact one takes 1 MB


def write(output: Path, table: Any) -> None:
    content = io.BytesIO()
    pq.write_table(table, content)
    storage.write(f"{output}/masks/m.parquet", content.getvalue())


def with_values(**values: object) -> Any:
    """The masks of video v, with other values in the row of frame 2, object 2."""
    given = rows("v", FOUND, [1, 2])
    given[5] |= values
    return pa.Table.from_pylist(given, schema=store.MASKS)


def with_column(name: str, of: Callable[[Any], Any]) -> Any:
    table = with_values()
    return table.set_column(table.column_names.index(name), name, of(table[name]))


def test_masks_come_video_by_video(tmp_path: Path) -> None:
    for name in ("x", "y"):
        with store.MaskWriter(tmp_path / "m.parquet") as writer:
            writer.add(store.masks_table([row for n in "12" for row in rows(name + n, FOUND, [1, 2])]))
        storage.write(f"{tmp_path}/out/masks/{name}.parquet", (tmp_path / "m.parquet").read_bytes())
    storage.write(f"{tmp_path}/out/masks/.half.tmp", b"not yet whole")
    found = {masks.video_id: masks for masks in masks_by_video(f"{tmp_path}/out")}
    assert {name: len(masks.rows) for name, masks in found.items()} == dict.fromkeys(("x1", "x2", "y1", "y2"), 12)
    assert all(np.array_equal(m.decode(row), FOUND[row["frame_index"]] == row["object_id"])
               for m in found.values() for row in m.rows)  # fmt: skip


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"height": 41}, "it is 50x41, the video's first mask 50x40"),
        ({"height": 50, "width": 40}, "it is 40x50, the video's first mask 50x40"),
        ({"counts": "0o"}, "not as COCO's compressed RLE is"),
        ({"counts": ""}, "no RLE of 2000 pixels"),
        ({"counts": "05"}, "its runs are 5 pixels together, and its size 50x40 is 2000"),
    ],
)
def test_a_damaged_mask_is_named_with_its_file_video_and_frame(
    values: dict[str, object], reason: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    write(output, with_values(**values))
    (tmp_path / "truth/v").mkdir(parents=True)
    for t, labels in enumerate(FOUND):
        to_image(labels).save(tmp_path / f"truth/v/{t}.png")
    named = (
        rf"{output}/masks/m.parquet is damaged: the mask of object 2 on frame 2 of video 'v' cannot be decoded: "
        rf".*{reason}.*\. `stcn verify {output}` says what to do"
    )
    of_sizes = rf"{output}/masks/m.parquet is damaged: video 'v': its masks are not all of one size\."
    with pytest.raises(UserError, match=of_sizes if "first mask" in reason else named):
        export_output(str(output), tmp_path / "png", "davis")
    with pytest.raises(UserError, match=named):
        evaluate_output(str(output), str(tmp_path / "truth"))
    command = stcn("export", output, tmp_path / "png")
    assert (command.returncode, "Traceback" in command.stderr) == (2, False)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (lambda: with_values(height=0), "its column height holds 0; legal: 1 or more"),
        (lambda: with_values(width=-50), "its column width holds -50"),
        (lambda: with_values(object_id=0), "its column object_id holds 0"),
        (lambda: with_values(frame_index=-1), "its column frame_index holds -1"),
        (lambda: with_values(counts=None), "its column counts has nulls"),
        (lambda: with_values(video_id=None), "its column video_id has nulls"),
        (lambda: with_values().drop_columns(["counts", "width"]), r"it lacks the columns \['counts', 'width'\]"),
        (lambda: with_values().append_column("counts", with_values()["counts"]), "counts"),
        (lambda: with_column("height", lambda c: pa.array(["tall"] * len(c))), "tall"),
        (lambda: with_column("counts", lambda c: pa.array([[1]] * len(c))), "cast from list"),
        (lambda: with_column("height", lambda c: pa.array([2**40] * len(c))), "1099511627776 not in range"),
        (lambda: with_column("video_id", lambda c: pa.array([b"\xff"] * len(c)).view("string")), "UTF-?8"),
    ],
)
def test_invalid_masks_table_is_named(table: Callable[[], Any], reason: str, tmp_path: Path) -> None:
    write(tmp_path / "out", table())
    with pytest.raises(UserError, match=f"{tmp_path}/out/masks/m.parquet is damaged: .*{reason}.* `stcn verify"):
        list(masks_by_video(str(tmp_path / "out")))


def test_masks_written_by_other_programs_are_read(tmp_path: Path) -> None:
    """With wider types, its columns in another order and one of its own."""
    table = with_column("counts", lambda c: c.cast("large_string"))
    table = table.set_column(1, "frame_index", table["frame_index"].cast("int64")).append_column("note", [[""] * 12])
    write(tmp_path / "out", table.select(sorted(table.column_names)))
    (masks,) = masks_by_video(str(tmp_path / "out"))
    assert len(masks.rows) == 12


@pytest.mark.parametrize("side", [30_000, 10**9])
def test_header_claiming_a_huge_frame_allocates_nothing(side: int, tmp_path: Path) -> None:
    table = with_values().slice(0, 1)
    for name in ("height", "width"):
        table = table.set_column(table.column_names.index(name), name, pa.array([side], "int32"))
    write(tmp_path / "out", table)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=f"frame 0 of video 'v' cannot be decoded: .*its size.*{side}x{side}"):
            export_output(str(tmp_path / "out"), tmp_path / "png", "davis")
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()


def test_damaged_mask_fails_only_its_own_videos_overlay(archive: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    names, labels = ("a", "bad", "e"), [np.pad(frame, ((0, 8), (0, 14)))[:48, :64] for frame in FOUND]
    given = [row | {"height": 48, "width": 64} for name in names for row in rows(name, labels, [1, 2])]
    given[15]["counts"] = "0o"
    write(output, pa.Table.from_pylist(given, schema=store.MASKS))
    done = [
        VideoRow(video_id=name, work_id="w", status="done", video=f"{archive}/videos/a.mp4", prompts="p")
        for name in names
    ]
    write_run(output, done)
    results = dict(overlay_output(str(output), tmp_path / "overlays"))
    assert {name: isinstance(result, Path) for name, result in results.items()} == {"a": True, "bad": False, "e": True}
    assert "object 2 on frame 1 of video 'bad'" in str(results["bad"])


def test_flipped_byte_raises_only_user_error(tmp_path: Path) -> None:
    write(tmp_path / "out", with_values())

    def decode() -> None:
        for masks in masks_by_video(str(tmp_path / "out")):
            for row in masks.rows:
                masks.decode(row)

    check_flips_are_told(tmp_path / "out/masks/m.parquet", decode, flips=300)
