"""Errors name the videos that are lost or changed, and the masks that are damaged."""

from pathlib import Path
from typing import Any

import pytest

from jobs.dataset.mask_dataset import MaskDataset
from jobs.errors import UserError, VideoError
from jobs.records import VideoRow
from tests.jobs.dataset.samples import all_of, place_of
from tests.jobs.drawn_output import FRAMES, mask_rows, true_labels, write_masks, write_record


@pytest.mark.heavy
def test_lost_or_changed_video_raises_with_its_id_or_is_skipped(archive: Path, output: str, tmp_path: Path) -> None:
    changed = {"a": "gone.mp4", "b": "c.mp4", "e": "c.mp4", "c": "d.mp4"}  # gone, smaller, shorter, broken
    (tmp_path / "masks").symlink_to(f"{output}/masks")
    rows = [
        VideoRow(
            video_id=name, work_id="w", status="done", video=f"{archive}/videos/{changed.get(name, name)}", prompts="p"
        )
        for name in FRAMES
    ]
    write_record(str(tmp_path), rows)
    dataset = MaskDataset(str(tmp_path))
    for name, reason in (("a", "does not exist"), ("b", "its frames are 48x64, its masks 70x50"), ("c", "cannot be")):
        with pytest.raises(VideoError, match=rf"^video '{name}', '.*/{changed[name]}': .*{reason}"):
            dataset[dataset.indices(dataset.video_ids.index(name)).start]
    with pytest.raises(VideoError, match="video 'a'"):
        all_of(dataset, num_workers=1, multiprocessing_context="fork")
    with pytest.warns(UserWarning, match="skipped: video ") as warned:
        assert all_of(dataset.stream(skip_errors=True)) == []
    assert len(warned) == len(FRAMES)
    assert "images" not in dataset.video_ids  # it is no longer in the manifest


def test_shortened_video_raises_with_its_id(archive: Path, tmp_path: Path) -> None:
    labels = true_labels(archive, "a")
    write_masks(str(tmp_path), "a", mask_rows("a", labels + labels))
    write_record(
        str(tmp_path),
        [VideoRow(video_id="a", work_id="w", status="done", video=f"{archive}/videos/a.mp4", prompts="p")],
    )
    dataset = MaskDataset(str(tmp_path))
    for place in (9, 9, 17):
        with pytest.raises(VideoError, match=f"video 'a', .*: ends before frame {place}: it has changed"):
            dataset[place]
    assert place_of(dataset[8]) == ("a", 8)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"max_pixels": 100}, "legal: up to 100"), ({"allow": ["/elsewhere"]}, "is not allowed; legal: under /elsewhere")],
)
def test_videos_are_opened_under_their_runs_allowlist_and_limits(
    options: dict[str, Any], reason: str, archive: Path, output: str, tmp_path: Path
) -> None:
    (tmp_path / "masks").symlink_to(f"{output}/masks")
    write_record(
        str(tmp_path),
        [VideoRow(video_id="a", work_id="w", status="done", video=f"{archive}/videos/a.mp4", prompts="p")],
        **options,
    )
    with pytest.raises(VideoError, match=reason):
        MaskDataset(str(tmp_path))[0]


def test_damaged_mask_raises_with_its_file_object_and_frame(archive: Path, tmp_path: Path) -> None:
    rows = mask_rows("a", true_labels(archive, "a"))
    rows[4]["counts"] = "05"
    write_masks(str(tmp_path), "a", rows)
    write_record(
        str(tmp_path),
        [VideoRow(video_id="a", work_id="w", status="done", video=f"{archive}/videos/a.mp4", prompts="p")],
    )
    dataset = MaskDataset(str(tmp_path))
    assert len(dataset[3]["ids"]) == 1
    with pytest.raises(
        UserError, match=r"a.parquet is damaged: the mask of object 1 on frame 4 of video 'a' cannot be"
    ):
        dataset[4]


def test_folder_without_a_run_raises(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        MaskDataset(str(tmp_path))


def test_file_in_place_of_an_output_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("video_id,video,prompts")
    with pytest.raises(UserError, match=r"m\.csv holds no run"):
        MaskDataset(str(tmp_path / "m.csv"))
