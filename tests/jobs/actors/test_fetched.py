"""What an actor has of a video before it begins."""

from pathlib import Path

import pytest

from jobs.actors.segmenter import _FetchedVideo
from jobs.errors import RefusedError, VideoError
from jobs.inputs.manifest import read_manifest
from jobs.io import storage
from jobs.planning.identity import identify
from jobs.records import Entry
from jobs.segmenting.failure_row import quarantined_row
from jobs.segmenting.work_item import VideoOptions, WorkItem


def test_prompts_of_a_store_come_with_the_folders_of_objects() -> None:
    for name in ("v/0.jpg", "v/thumbnails/0.jpg", "masks/dog/0.png", "masks/cat/0.png"):
        storage.write(f"memory://archive/{name}", b"x")
    entry = Entry(video_id="v", video="memory://archive/v", prompts="memory://archive/masks")
    fetched = _FetchedVideo(WorkItem(entry=entry, work_id="work", expected_frames=1))
    video, prompts = fetched.paths()
    assert [path.relative_to(video).as_posix() for path in video.rglob("*.jpg")] == ["0.jpg"]
    assert sorted(path.relative_to(prompts).as_posix() for path in prompts.rglob("*.png")) == ["cat/0.png", "dog/0.png"]


@pytest.mark.parametrize("version", ["gone", "null0", "3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"])
def test_a_version_that_does_not_exist_is_that_videos_failure_alone(version: str, bucket: str, tmp_path: Path) -> None:
    """Stores answer 400 or 404, with codes of their own; none of the answers is an outage."""
    storage.write(f"{bucket}/v.mp4", b"video")
    storage.write(f"{bucket}/m.png", b"mask")
    (tmp_path / "m.csv").write_text(
        "video_id,video,prompts\n"
        f"good,{bucket}/v.mp4,{bucket}/m.png\n"
        f"gone,{bucket}/v.mp4?versionId={version},{bucket}/m.png\n"
    )
    entries = read_manifest(f"{tmp_path}/m.csv").entries
    good, gone = identify(entries, "model", lambda _: VideoOptions()).items
    assert (good.not_found, gone.not_found) == ((), ("video",))
    _FetchedVideo(good).paths()
    with pytest.raises((VideoError, RefusedError)) as error:
        _FetchedVideo(gone).paths()
    row = quarantined_row(gone, error.value)
    assert row.error_class in ("VideoError", "StorageError")
    assert "v.mp4" in str(row.error_message)
