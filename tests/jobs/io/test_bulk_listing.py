"""Many locations are found by few listings, each as if storage were asked for it alone."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jobs.io import bulk_listing, range_listing, storage
from jobs.io.bulk_listing import Wanted, find_files, find_one

KEYS = (
    "videos/a.mp4", "videos/a.mp4.bak", "videos/b.mp4", "videos/clip", "videos/clip-2/0.png", "videos/clip/00000.png",
    "videos/clip/00001.png", "videos/clip/deep/x.png", "videos/frames.v1/0.png", "masks/a/00000.png", "masks/a.png",
    "masks/a/dog/0.png", "masks/a/dog/deep/1.png", "masks/a/cat/0.png", "masks/a0/0.png", "masks/b with space/0+1.png",
    "masks/\u00e4/0.png", "masks/100%/0.png", "masks/[x]/0.png", "root.json",
)  # fmt: skip
LOCATIONS = (
    "videos/a.mp4", "videos/b.mp4", "videos/c.mp4", "videos/clip", "videos/clip-2", "videos/frames.v1", "masks/a",
    "masks/a/", "masks/a0", "masks/b with space", "masks/\u00e4", "masks/100%", "masks/[x]", "root.json", "root",
    "masks", "none/at all", "zzz",
)  # fmt: skip


@pytest.fixture(params=["local", "s3"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder or bucket with KEYS; a file system has no file beside a folder of its name."""
    is_local = request.param == "local"
    base = str(tmp_path / "archive") if is_local else f"{request.getfixturevalue('bucket')}/archive"
    for key in KEYS:
        if not (is_local and key == "videos/clip"):
            storage.write(f"{base}/{key}", key.encode())
    return base


def files_at(wanted: Sequence[Wanted]) -> list[list[storage.FileInfo]]:
    """The files at locations of which none is optional."""
    found = find_files(wanted)
    assert all(found)
    return [each.files for each in found if each]


@pytest.mark.parametrize("page", [1, 2, 7, 1000])
def test_each_location_has_the_files_that_storage_tells_of_it_alone(
    page: int, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_listing, "_page", paged(page))
    wanted = [Wanted(f"{base}/{location}", is_deep) for location in LOCATIONS for is_deep in (False, True)]
    found = files_at(wanted)
    for each, files in zip(wanted, found, strict=True):
        assert sorted(f.location for f in files) == sorted(f.location for f in find_one(each)), each
    of_all = {file for files in found for file in files}
    assert of_all == {file for each in wanted for file in find_one(each)}  # lengths and versions, too


def paged(size: int) -> Any:
    """`_page` with pages of another size."""
    page = vars(range_listing)["_page"]

    def small(bucket: str, after: str, most: int) -> tuple[list[dict[str, Any]], bool]:
        entries, is_last = page(bucket, after, most)
        return entries[:size], is_last and len(entries) <= size

    return small


def sorted_store(keys: Sequence[str], size: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let listings tell of a store that is a sorted list, in pages of a size; returns what they are asked for."""
    questions = list[str]()

    def page(bucket: str, after: str, most: int) -> tuple[list[dict[str, Any]], bool]:
        questions.append(after)
        start = bisect_right(keys, after)
        stop = start + min(size, most)
        return [{"Key": k, "Size": len(k), "ETag": f'"{k}"'} for k in keys[start:stop]], stop >= len(keys)

    monkeypatch.setattr(range_listing, "_page", page)
    return questions


def random_keys(chance: random.Random) -> list[str]:
    """Keys of files and folders whose names begin alike."""
    parts = ["a", "b", "a.x", "a-", "a0", "a/", "0", "\u00e9", "~"]
    keys = {"".join(chance.choices(parts, k=chance.randint(1, 4))).strip("/") for _ in range(60)}
    return sorted(key for key in keys if "//" not in key)


def locations_among(keys: Sequence[str], chance: random.Random) -> list[str]:
    """Some of the files and folders, and some that are not there."""
    return sorted({key.rpartition("/")[0] or key for key in chance.sample(keys, 20)} | {"none", "a", "b/x.png"})


def expected_at(location: str, keys: Sequence[str]) -> list[str]:
    """What a plain loop over all keys finds."""
    folder = [key for key in keys if key.startswith(f"{location}/") and "/" not in key[len(location) + 1 :]]
    return [location] if location in keys else folder


@pytest.mark.parametrize("seed", range(20))
def test_any_keys_are_found_with_any_pages(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a store that is a sorted list, beside plain loops over all keys."""
    chance = random.Random(seed)
    keys = random_keys(chance)
    questions = sorted_store(keys, chance.choice([1, 2, 5, 1000]), monkeypatch)
    locations = locations_among(keys, chance)
    found = files_at([Wanted(f"s3://b/{location}") for location in locations])
    for location, files in zip(locations, found, strict=True):
        assert [file.location.removeprefix("s3://b/") for file in files] == expected_at(location, keys), location
    assert len(questions) <= 3 * len(keys) + 3 * len(locations)


@pytest.mark.parametrize("seed", range(40))
def test_optional_locations_cost_nothing_and_are_found_whole_or_not_at_all(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    keys = random_keys(chance)
    questions = sorted_store(keys, chance.choice([1, 2, 5, 1000]), monkeypatch)
    wanted = [Wanted(f"s3://b/{each}", is_optional=chance.random() < 0.7) for each in locations_among(keys, chance)]
    find_files([each for each in wanted if not each.is_optional])
    alone = len(questions)
    found = find_files(wanted)
    assert len(questions) == 2 * alone
    for each, there in zip(wanted, found, strict=True):
        assert there or each.is_optional
        if there:
            names = [file.location.removeprefix("s3://b/") for file in there.files]
            assert names == expected_at(each.location.removeprefix("s3://b/"), keys), each


def test_optional_locations_on_a_page_that_is_asked_for_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    questions = sorted_store([f"{n:05d}.mp4" for n in range(5_000)], 1_000, monkeypatch)
    wanted = [Wanted(f"s3://b/{n:05d}.mp4", is_optional=n != 1_500) for n in (1_499, 1_500, 1_501, 2_499, 2_500)]
    assert [each is not None for each in find_files(wanted)] == [False, True, True, True, False]
    assert len(questions) == 1


def test_optional_folder_that_a_page_shows_in_part_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["a.mp4", "f/1", "f/2", "f/3", "g.mp4", "y.mp4", "z.mp4"]
    for page, is_found in ((3, False), (5, True)):
        sorted_store(keys, page, monkeypatch)
        wanted = [Wanted("s3://b/a.mp4"), Wanted("s3://b/f", is_optional=True), Wanted("s3://b/z.mp4")]
        folder = find_files(wanted)[1]
        assert (folder is not None) == is_found
        assert folder is None or len(folder.files) == 3


@pytest.mark.parametrize("seed", range(10))
def test_pages_are_shared_by_the_locations_that_they_serve(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    keys = random_keys(chance)
    questions = sorted_store(keys, chance.choice([1, 2, 5]), monkeypatch)
    found = find_files([Wanted(f"s3://b/{location}") for location in locations_among(keys, chance)])
    assert sum(each.requests for each in found if each) == pytest.approx(len(questions))


def test_local_files_are_free_and_a_location_asked_for_alone_is_one_request(tmp_path: Path, bucket: str) -> None:
    places = [str(tmp_path), f"{tmp_path}/none", f"{bucket}/a.mp4?versionId=none", "memory://a.mp4"]
    assert [each.requests for each in find_files([Wanted(place) for place in places]) if each] == [0, 0, 1, 1]


def requests(monkeypatch: pytest.MonkeyPatch, keys: Sequence[str], wanted: Sequence[Wanted]) -> int:
    """How many listings it takes to find locations in a store of pages of a thousand."""
    questions = sorted_store(sorted(keys), 1_000, monkeypatch)
    assert all(files_at(wanted))
    return len(questions)


def test_locations_that_lie_together_share_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests for a hundred rows of the manifest are the bound."""
    names = [f"v{number:06d}" for number in range(20_000)]
    keys = [key for name in names for key in (f"videos/{name}.mp4", f"masks/{name}/00000.png")]
    wanted = [w for n in names for w in (Wanted(f"s3://b/videos/{n}.mp4"), Wanted(f"s3://b/masks/{n}", is_deep=True))]
    assert requests(monkeypatch, keys, wanted) <= 200


def test_locations_that_lie_apart_cost_a_request_each_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"{folder:03d}/{number:05d}.mp4" for folder in range(30) for number in range(3_000)]
    wanted = [Wanted(f"s3://b/{folder:03d}/01500.mp4") for folder in range(30)]
    assert requests(monkeypatch, keys, wanted) == 30


@pytest.mark.parametrize(("apart", "most"), [(1_500, 1.0), (200, 0.3), (100, 0.2), (20, 0.03)])
def test_short_pages_cost_few_more_requests(apart: int, most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At random places, on average so many keys apart; most: requests for each location."""
    chance = random.Random(1)
    keys = [f"{number:07d}.mp4" for number in range(500 * apart)]
    wanted = [Wanted(f"s3://b/{key}") for key in chance.sample(keys, 500)]
    assert requests(monkeypatch, keys, wanted) <= most * len(wanted)


def test_bucket_that_may_not_be_listed_is_asked_for_each_location(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy may allow objects to be read, and no listing."""

    def refused(bucket: str, after: str, most: int) -> None:
        raise PermissionError(bucket)

    asked, alone = list[str](), bulk_listing.find_one

    def noted(wanted: Wanted) -> list[storage.FileInfo]:
        asked.append(wanted.location)
        return alone(wanted)

    monkeypatch.setattr(range_listing, "_page", refused)
    monkeypatch.setattr(bulk_listing, "find_one", noted)
    wanted = [Wanted(f"{base}/{location}") for location in ("videos/a.mp4", "none", "videos/none.mp4")]
    assert [len(files) for files in files_at(wanted)] == [1, 0, 0]
    assert sorted(asked) == sorted(each.location for each in wanted)  # once each


def test_missing_bucket_and_old_versions_are_found_one_by_one(bucket: str) -> None:
    storage.write(f"{bucket}/a.mp4", b"content")
    places = [f"{bucket}-missing/a.mp4", f"{bucket}/a.mp4?versionId=none", f"{bucket}/a.mp4", "/none/at/all.mp4"]
    assert [len(files) for files in files_at([Wanted(place) for place in places])] == [0, 0, 1, 0]
