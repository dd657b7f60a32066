"""What the tests of promises share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from jobs.io.storage_policy import StoragePolicy, storage_policy
from tests.reliability.grouped_archive import draw_groups, long_frames
from tests.stores.faults import FaultProxy


@pytest.fixture(autouse=True)
def _impatience() -> Iterator[None]:
    """Nobody waits five minutes for a test's fault to pass."""
    with storage_policy(StoragePolicy(10.0)):
        yield


@pytest.fixture(scope="session")
def groups(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of grouped_archive.py."""
    return draw_groups(tmp_path_factory.mktemp("groups"), long_frames(model_file))


@pytest.fixture
def segment_groups(groups: Path, model_file: Path, tmp_path: Path) -> list[str]:
    """What `stcn` is told to segment them with one actor; the third is the output."""
    options = ["--model", str(model_file), "--threads-per-actor", "1", "--actors", "1"]
    return ["segment", str(groups), str(tmp_path / "out"), *options]


@pytest.fixture
def proxy(bucket: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """Between s3fs and the store, here and in processes that are started."""
    with FaultProxy(s3_endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        s3fs.S3FileSystem.clear_instance_cache()
        yield proxy
        s3fs.S3FileSystem.clear_instance_cache()
