"""A video whose size and ETag the manifest lists is what storage would have said, and is compared by its actor."""

import dataclasses
from pathlib import Path

import pytest
import s3fs

from jobs.actors.segmenter import _FetchedVideo
from jobs.errors import VideoError
from jobs.inputs.content_version import current_version
from jobs.io import bulk_listing, storage
from jobs.io.bulk_listing import Found, Wanted
from jobs.planning import answers
from jobs.planning.identity import identify
from jobs.records import Entry
from jobs.run.input_check import find_failures
from jobs.segmenting.failure_row import quarantined_row
from jobs.segmenting.work_item import VideoOptions, WorkItem

KEYS = ("a.mp4", "videos/b.mp4", "videos/c\u00e4 %1.mp4", "videos/no-suffix")


@pytest.fixture
def entries(bucket: str) -> list[Entry]:
    storage.write(f"{bucket}/masks/00000.png", b"mask")
    for key in KEYS:
        storage.write(f"{bucket}/{key}", key.encode() * 100)
    return [Entry(video_id=key, video=f"{bucket}/{key}", prompts=f"{bucket}/masks") for key in KEYS]


def listed(entry: Entry, **changes: object) -> Entry:
    """An entry with what an inventory of the store lists."""
    info = s3fs.S3FileSystem().info(entry.video)
    known = {"video_bytes": info["size"], "video_etag": info["ETag"].strip('"')} | changes
    return dataclasses.replace(entry, **known)


def identified(entries: list[Entry]) -> list[WorkItem]:
    return identify(entries, "model", lambda _: VideoOptions()).items


def test_listed_video_has_the_id_and_version_that_storage_gives_it(
    entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_storage, asked = identified(entries), list[str]()

    def find_files(wanted: list[Wanted]) -> list[Found | None]:
        asked.extend(each.location for each in wanted)
        return bulk_listing.find_files(wanted)

    monkeypatch.setattr(answers, "find_files", find_files)
    of_manifest = identified([listed(entry) for entry in entries])
    assert asked == [entries[0].prompts]
    for one, other in zip(of_storage, of_manifest, strict=True):
        assert dataclasses.replace(other, entry=one.entry) == one
        assert other.video_version == current_version(other.entry.video)


def test_listed_version_of_an_object_has_the_id_that_storage_gives_it(bucket: str, entries: list[Entry]) -> None:
    fs = s3fs.S3FileSystem(version_aware=True)
    fs.make_bucket_versioned(bucket.removeprefix("s3://"))
    storage.write(f"{bucket}/a.mp4", b"now")
    version = fs.info(f"{bucket}/a.mp4")["VersionId"]
    storage.write(f"{bucket}/a.mp4", b"later")
    entry = dataclasses.replace(entries[0], video=f"{bucket}/a.mp4?versionId={version}")
    etag = fs.info(f"{bucket}/a.mp4", version_id=version)["ETag"].strip('"')
    ((one,), (other,)) = identified([entry]), identified([dataclasses.replace(entry, video_bytes=3, video_etag=etag)])
    assert (one.work_id, one.video_version) == (other.work_id, other.video_version)


def test_another_size_or_etag_in_the_manifest_is_other_work(entries: list[Entry]) -> None:
    entry = entries[0]
    ids = {each.work_id for each in identified([entry, listed(entry, video_bytes=7), listed(entry, video_etag="e")])}
    assert len(ids) == 3


def test_length_in_the_manifest_plans_shards_and_changes_no_id(entries: list[Entry]) -> None:
    entry = entries[0]
    windowed = dataclasses.replace(entry, start=5, end=90)
    one, many, window, past = identified(
        [entry, *(dataclasses.replace(each, frames=n) for each, n in ((entry, 70), (windowed, 70), (windowed, 3)))]
    )
    assert one.work_id == many.work_id
    assert [item.expected_frames for item in (many, window, past)] == [70, 65, 1]


@pytest.mark.parametrize(
    ("changes", "listing"),
    [({"video_bytes": 7}, "with 7 bytes and ETag "), ({"video_etag": "abc"}, "with 500 bytes and ETag abc")],
)
def test_video_that_is_not_as_listed_is_quarantined_with_both(
    changes: dict[str, object], listing: str, entries: list[Entry], bucket: str
) -> None:
    good, bad = identified([listed(entries[0]), listed(entries[0], **changes)])
    _FetchedVideo(good).paths()
    with pytest.raises(VideoError) as error:
        _FetchedVideo(bad).paths()
    etag = listed(entries[0]).video_etag
    message = str(quarantined_row(bad, error.value).error_message)
    assert f"the manifest lists {bucket}/a.mp4 {listing}" in message
    assert f"storage has 500 bytes and ETag {etag}; bring the manifest's video_bytes and video_etag up" in message
    (checked,) = find_failures([bad])  # by `stcn plan --check`
    assert checked.error_message == message


def test_video_that_changes_while_it_is_fetched_is_noticed(
    entries: list[Entry], bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (item,) = identified([listed(entries[0])])
    download = storage.download

    def overwritten(location: str, folder: Path, with_folders: bool = False) -> Path:
        storage.write(f"{bucket}/a.mp4", b"another video")
        return download(location, folder, with_folders)

    monkeypatch.setattr(storage, "download", overwritten)
    with pytest.raises(VideoError, match="storage has 13 bytes"):
        _FetchedVideo(item).paths()


def test_listed_video_that_is_a_folder_or_gone_is_that_videos_failure(entries: list[Entry], bucket: str) -> None:
    listings = [dataclasses.replace(entries[0], video=f"{bucket}/{name}", video_bytes=1, video_etag="e")
                for name in ("masks", "gone.mp4")]  # fmt: skip
    for item, message in zip(identified(listings), ("storage has a folder there", "gone.mp4"), strict=True):
        assert item.not_found == ()
        with pytest.raises(VideoError, match=message):
            _FetchedVideo(item).paths()
