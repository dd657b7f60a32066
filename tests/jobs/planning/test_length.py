"""Lengths of videos are estimated from the manifest, from images, or from the archive's own bytes per frame."""

from pathlib import Path
from typing import Any

import pytest

from jobs.ledger.video_table import VideoTable
from jobs.outputs import store
from jobs.outputs.packed_rows import PackedRows
from jobs.planning.answers import Answer
from jobs.planning.length import BYTES_PER_FRAME, Rates, measured_rates
from jobs.records import Entry, VideoRow
from jobs.run.plan_report import describe_lengths
from tests.parts import stcn


def row(video: str, num_bytes: int | None, frames: int, **values: Any) -> VideoRow:
    known: dict[str, Any] = {"video_id": video, "status": "done", "start": 0} | values
    return VideoRow(work_id="w", video=video, prompts="p", video_bytes=num_bytes, frames_decoded=frames, **known)


def table_of(*rows: VideoRow) -> VideoTable:
    """Half of the rows are packed, as those of checkpoints are."""
    half = len(rows) // 2
    table = VideoTable([PackedRows(store.to_bytes(store.videos_table(rows[:half]), store.VIDEOS))])
    for each in rows[half:]:
        table.put(each)
    return table


def frames(rates: Rates, video: str, num_bytes: int, files: int = 1, **values: Any) -> int:
    entry = Entry(video_id="v", video=video, prompts="p", **values)
    return rates.frames(entry, Answer("0" * 32, files, num_bytes, 1.0))


def test_nothing_done_leaves_the_assumed_rate() -> None:
    rates = measured_rates(VideoTable())
    assert frames(rates, "/a.mp4", 50 * BYTES_PER_FRAME) == 50
    assert describe_lengths(rates) == "lengths of video files are estimated at 5,000 bytes a frame, as assumed"


def test_rates_are_all_bytes_over_all_frames_of_files_of_a_suffix() -> None:
    rates = measured_rates(
        table_of(
            row("s3://b/1.mp4", 1_000, 10), row("s3://b/2.MP4?versionId=a.b", 200, 2),
            row("s3://b/3.mkv", 9_000, 3), row("s3://b/4.mp4", 1_200, 12), row("/no-suffix", 70, 7),
        )
    )  # fmt: skip
    assert {name: (rate.bytes_per_frame, rate.videos) for name, rate in rates.by_suffix.items()} == {
        ".mp4": (100, 3), ".mkv": (3_000, 1), "": (10, 1),
    }  # fmt: skip
    assert frames(rates, "/x/y.mp4?versionId=1", 1_000) == 10
    assert frames(rates, "/x.y/z", 1_000) == 100
    assert frames(rates, "/x.MKV", 9_500) == 3
    assert frames(rates, "/x.webm", round(11_470 / 34 * 5)) == 5  # as all files
    assert describe_lengths(rates) == (
        "lengths of video files are estimated in bytes a frame, as measured on 5 that are done: .mp4 100, without a "
        "suffix 10, .mkv 3,000"
    )


@pytest.mark.parametrize(
    "other",
    [
        row("b.mp4", 10**9, 1, start=5), row("b.mp4", 10**9, 1, end=5), row("b.mp4", None, 1), row("b.mp4", 0, 1),
        row("b.mp4", 10**9, 0), row("b.mp4", 10**9, 1, status="quarantined"), row("b.mp4", 10**9, 1, status="pending"),
    ],
)  # fmt: skip
def test_rows_that_are_no_whole_video_file_do_not_count(other: VideoRow) -> None:
    for rows in ((other, row("a.mp4", 700, 7)), (row("a.mp4", 700, 7), other)):
        rates = measured_rates(table_of(*rows))
        assert (rates.of_all.bytes_per_frame, rates.of_all.videos) == (100, 1)
    assert measured_rates(table_of(other)) == Rates()


def test_replaced_row_does_not_count() -> None:
    table = table_of(row("a.mp4", 700, 7), row("b.mp4", 700, 7))
    table.put(row("a.mp4", 70_000, 7))
    assert measured_rates(table).of_all.bytes_per_frame == 70_700 / 14


def test_manifest_and_images_go_before_bytes() -> None:
    rates = Rates()
    assert frames(rates, "/folder", 50 * BYTES_PER_FRAME, files=9) == 9
    assert frames(rates, "/folder", 50 * BYTES_PER_FRAME, files=9, frames=8) == 8
    assert frames(rates, "/a.mp4", 50 * BYTES_PER_FRAME, frames=8, start=2, end=5) == 3


@pytest.mark.heavy
def test_second_run_of_an_archive_plans_with_its_own_bit_rate(
    ray_cluster: str, archive: Path, model_file: Path, tmp_path: Path
) -> None:
    """The archive's videos are drawn with a few hundred bytes a frame, a tenth of what is assumed."""

    def manifest(*names: str) -> Path:
        lines = [f"{name},{archive}/videos/{name}.mp4,{archive}/prompts/{name}" for name in names]
        (tmp_path / "m.csv").write_text("\n".join(["video_id,video,prompts", *lines]))
        return tmp_path / "m.csv"

    def planned() -> str:
        return stcn("plan", manifest("b", "c", "e"), tmp_path / "out", "--model", model_file).stdout

    assert "at 5,000 bytes a frame, as assumed" in planned()
    done = stcn("segment", manifest("a", "b"), tmp_path / "out", "--model", model_file, "--threads-per-actor", "1")
    assert done.returncode == 0, done.stderr
    rate = sum((archive / f"videos/{name}.mp4").stat().st_size for name in "ab") / (9 + 12)
    expected = sum(int((archive / f"videos/{name}.mp4").stat().st_size / rate) for name in "ce")
    told = planned()
    assert f"as measured on 2 that are done: .mp4 {rate:,.0f}" in told
    shards = [line for line in told.splitlines() if line.startswith("shard ")]
    assert sum(int(line.split("about ")[1].split()[0]) for line in shards) == expected
    assert abs(expected - (7 + 10)) < 9
