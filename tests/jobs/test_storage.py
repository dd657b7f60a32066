"""Writing is whole or not at all, and create-only writes have one winner: on local disk and on S3."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs import storage
from jobs.errors import UserError


@pytest.fixture(params=["local", "s3"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else str(request.getfixturevalue("bucket"))


def test_write_read_find_and_remove(base: str) -> None:
    for name in ("b.txt", "a.txt", "c.png"):
        storage.write(f"{base}/folder/{name}", name.encode())
    storage.write(f"{base}/folder/deeper/d.txt", b"d")
    assert [storage.name_of(f.location) for f in storage.find(f"{base}/folder", [".txt"])] == ["a.txt", "b.txt"]
    assert [storage.name_of(f) for f in storage.folders(f"{base}/folder")] == ["deeper"]
    assert storage.read(storage.find(f"{base}/folder")[0].location) == b"a.txt"
    assert storage.read(f"{storage.folders(f'{base}/folder')[0]}/d.txt") == b"d"
    assert storage.find(f"{base}/none") == []
    assert storage.folders(f"{base}/none") == []
    storage.remove(f"{base}/folder")
    storage.remove(f"{base}/folder")
    assert not storage.exists(f"{base}/folder")


def test_a_version_changes_with_the_content(base: str) -> None:
    storage.write(f"{base}/x", b"one")
    first = storage.stat(f"{base}/x")
    assert first is not None
    assert (first.num_bytes, first == storage.stat(f"{base}/x")) == (3, True)
    storage.write(f"{base}/x", b"two")
    assert storage.stat(f"{base}/x") != first
    with pytest.raises(FileNotFoundError):
        storage.stat(f"{base}/none")


def test_create_has_one_winner(base: str) -> None:
    for number in range(5):
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda i: storage.create(f"{base}/log/{number}", b"%d" % i), range(8)))  # noqa: B023
        assert sum(won) == 1
        assert storage.read(f"{base}/log/{number}") == b"%d" % won.index(True)
    assert [storage.name_of(f.location) for f in storage.find(f"{base}/log")] == list("01234")


def test_copy_replaces(base: str) -> None:
    storage.write(f"{base}/a", b"new")
    storage.write(f"{base}/b/c", b"old")
    storage.copy(f"{base}/a", f"{base}/b/c")
    assert storage.read(f"{base}/b/c") == b"new"


def test_download_of_files_and_folders(base: str, tmp_path: Path) -> None:
    storage.write(f"{base}/clip/00000.jpg", b"zero")
    storage.write(f"{base}/clip/00001.jpg", b"one")
    local = storage.download(f"{base}/clip", tmp_path / "downloads")
    assert {p.name: p.read_bytes() for p in local.iterdir()} == {"00000.jpg": b"zero", "00001.jpg": b"one"}
    assert storage.download(f"{base}/clip/00001.jpg", tmp_path / "downloads").read_bytes() == b"one"
    with pytest.raises(FileNotFoundError, match="none does not exist"):
        storage.download(f"{base}/none", tmp_path)


def test_local_files_are_not_copied(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"v")
    assert storage.download(f"{tmp_path}/v.mp4", tmp_path / "downloads") == tmp_path / "v.mp4"


@pytest.mark.parametrize("location", ["zip://a::s3://b/c.zip", "gopher://x/y"])
def test_locations_that_are_not_supported(location: str) -> None:
    with pytest.raises(UserError, match="legal|not supported"):
        storage.read(location)


def test_relative_locations() -> None:
    assert storage.resolve("a/b.mp4", "s3://bucket/x") == "s3://bucket/x/a/b.mp4"
    assert storage.resolve("s3://other/b.mp4", "/x") == "s3://other/b.mp4"
    assert storage.resolve("/abs/b.mp4", "s3://bucket/x") == "/abs/b.mp4"
    assert storage.absolute("s3://b/c") == "s3://b/c"
    assert storage.absolute("c") == str(Path.cwd() / "c")
