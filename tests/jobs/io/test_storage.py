"""Writing is whole or not at all, and create-only writes have one winner: on local disk and on S3."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]
from fsspec.implementations.memory import MemoryFileSystem

from jobs.errors import RefusedError, UserError
from jobs.io import retry, storage
from jobs.io.storage_policy import StoragePolicy, storage_policy


@pytest.fixture(params=["local", "s3"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "local" else str(request.getfixturevalue("bucket"))


def test_files_are_written_read_found_and_removed(base: str) -> None:
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


def test_version_changes_with_the_content(base: str) -> None:
    storage.write(f"{base}/x", b"one")
    first = storage.stat(f"{base}/x")
    assert first is not None
    assert (first.num_bytes, first == storage.stat(f"{base}/x")) == (3, True)
    storage.write(f"{base}/x", b"two")
    assert storage.stat(f"{base}/x") != first
    with pytest.raises(FileNotFoundError):
        storage.stat(f"{base}/none")


class EtagFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """Tells what adlfs tells of a blob: an ETag, in small letters, and no time under fsspec's names."""

    protocol = "etags"

    def info(self, path: str, **options: object) -> dict[str, object]:
        entry: dict[str, object] = super().info(path, **options)
        return {"name": entry["name"], "size": entry["size"], "type": entry["type"], "etag": f'"{entry["created"]}"'}


def test_version_of_a_blob_of_azure_changes_with_equal_size() -> None:
    fsspec.register_implementation("etags", EtagFileSystem, clobber=True)
    storage.write("etags://archive/x", b"one")
    first = storage.stat("etags://archive/x")
    storage.write("etags://archive/x", b"two")
    second = storage.stat("etags://archive/x")
    assert first is not None
    assert second is not None
    assert first.num_bytes == second.num_bytes
    assert "" != first.version != second.version


def test_create_has_one_winner(base: str) -> None:
    for number in range(5):
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda i: storage.create(f"{base}/log/{number}", b"%d" % i), range(8)))  # noqa: B023
        assert sum(won) == 1
        assert storage.read(f"{base}/log/{number}") == b"%d" % won.index(True)
    assert [storage.name_of(f.location) for f in storage.find(f"{base}/log")] == list("01234")


def test_copy_replaces_its_target(base: str) -> None:
    storage.write(f"{base}/a", b"new")
    storage.write(f"{base}/b/c", b"old")
    storage.copy(f"{base}/a", f"{base}/b/c")
    assert storage.read(f"{base}/b/c") == b"new"


def test_files_and_folders_are_downloaded(base: str, tmp_path: Path) -> None:
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
def test_unsupported_location_raises(location: str) -> None:
    with pytest.raises(UserError, match="legal|not supported"):
        storage.read(location)


def test_relative_location_resolves_against_its_base() -> None:
    assert storage.resolve("a/b.mp4", "s3://bucket/x") == "s3://bucket/x/a/b.mp4"
    assert storage.resolve("s3://other/b.mp4", "/x") == "s3://other/b.mp4"
    assert storage.resolve("/abs/b.mp4", "s3://bucket/x") == "/abs/b.mp4"
    assert storage.absolute("s3://b/c") == "s3://b/c"
    assert storage.absolute("c") == storage.absolute("x/../c") == str(Path.cwd() / "c")
    assert storage.resolve("./../b.mp4", "/x/y") == "/x/b.mp4"
    assert storage.resolve("./b.mp4", "s3://bucket/x") == "s3://bucket/x/b.mp4"


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/f.txt").write_bytes(b"one")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/clip").symlink_to(tmp_path / "real")
    (tmp_path / "tree/f.txt").symlink_to(tmp_path / "real/f.txt")
    (tmp_path / "tree/broken").symlink_to(tmp_path / "none")
    assert [storage.name_of(f) for f in storage.folders(f"{tmp_path}/tree")] == ["clip"]
    (info,) = storage.find(f"{tmp_path}/tree")
    assert (storage.name_of(info.location), info.num_bytes) == ("f.txt", 3)
    (tmp_path / "real/f.txt").write_bytes(b"changed")
    assert storage.find(f"{tmp_path}/tree") != [info]


def test_folder_markers_of_s3_consoles_are_skipped(bucket: str, tmp_path: Path) -> None:
    import boto3

    client = boto3.client("s3")
    client.put_object(Bucket=bucket.removeprefix("s3://"), Key="clip/", Body=b"")
    storage.write(f"{bucket}/clip/00000.jpg", b"zero")
    assert [storage.name_of(f.location) for f in storage.find(f"{bucket}/clip")] == ["00000.jpg"]
    assert [path.name for path in storage.download(f"{bucket}/clip", tmp_path).iterdir()] == ["00000.jpg"]


def test_create_has_one_winner_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    assert storage.create(f"{tmp_path}/x", b"one")
    assert not storage.create(f"{tmp_path}/x", b"two")
    assert storage.read(f"{tmp_path}/x") == b"one"


def test_errors_of_storage_libraries_become_os_errors(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that botocore refuses with an error of its own."""
    with pytest.raises(OSError, match=r"ParamValidation"):
        storage.read("s3://not a bucket/x")


def test_folders_of_objects_are_downloaded_if_asked_for(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("00000.png", "dog/00000.png", "dog/deeper/00000.png", "cat/00005.png"):
        storage.write(f"{base}/masks/{name}", name.encode())
    local = storage.download(f"{base}/masks", tmp_path / "downloads", with_folders=True)
    names = [f"{p.parent.name}/{p.name}" for p in sorted(local.glob("*/*.png"))]
    assert names == ["cat/00005.png", "dog/00000.png"]
    assert (local / "dog/00000.png").read_bytes() == b"dog/00000.png"
    below = [info.location.removeprefix(f"{base}/masks/") for info in storage.find_below(f"{base}/masks")]
    assert below == ["00000.png", "cat/00005.png", "dog/00000.png"]
    if base != str(tmp_path):
        assert not (storage.download(f"{base}/masks", tmp_path / "flat") / "dog").exists()
    monkeypatch.setattr(storage, "MOST_FOLDERS", 1)  # of a data set's folders not all are asked for
    assert len(storage.find_below(f"{base}/masks")) == 2


def test_bucket_name_that_no_store_takes_is_refused_at_once() -> None:
    with storage_policy(StoragePolicy(60.0)), pytest.raises(RefusedError, match="Invalid bucket name") as error:
        storage.stat("s3://my bucket/v.mp4")
    assert "tried again" not in str(error.value)


def test_schemes_may_be_in_capitals(bucket: str) -> None:
    storage.write(f"{bucket}/capitals", b"content")
    assert storage.read("S3" + f"{bucket}/capitals".removeprefix("s3")) == b"content"


def test_refusal_without_a_message_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ceph sends no message with a 403."""
    told = ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject")
    refused = PermissionError("None")
    refused.__cause__ = told
    monkeypatch.setattr(retry, "refusal", lambda location: refused)
    head = PermissionError("Forbidden")
    head.__cause__ = ClientError({"Error": {"Code": "403"}}, "HeadObject")
    assert str(retry.explain("s3://b/k", head)) == "s3://b/k: AccessDenied"
