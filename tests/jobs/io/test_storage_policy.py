"""A storage policy holds in its block, in this thread and those that inherit it, and nowhere else."""

import threading
import time
from pathlib import Path

import pytest

from jobs.concurrency.threads import inheriting_thread
from jobs.errors import StorageError, UserError
from jobs.io import retry, storage
from jobs.io.storage_policy import StoragePolicy, current_policy, storage_policy
from jobs.planning.config import SegmentConfig
from jobs.run.driver import run
from jobs.watching.progress import NullReporter


def test_a_policy_ends_with_its_block_also_by_an_error() -> None:
    with storage_policy(StoragePolicy(1.0)):
        with pytest.raises(ValueError, match="inner"), storage_policy(StoragePolicy(2.0)):
            assert current_policy().retry_seconds == 2.0
            raise ValueError("inner")
        assert current_policy().retry_seconds == 1.0
    assert current_policy() == StoragePolicy()


def test_other_threads_of_the_process_keep_the_defaults() -> None:
    seen: dict[str, StoragePolicy] = {}
    with storage_policy(StoragePolicy(1.0, verify_downloads=True)) as policy:
        own = inheriting_thread(lambda: seen.update(own=current_policy()))
        others = threading.Thread(target=lambda: seen.update(others=current_policy()))
        for thread in (own, others):
            thread.start()
            thread.join()
    assert seen == {"own": policy, "others": StoragePolicy()}


def test_a_run_leaves_the_process_with_the_policy_it_found(tmp_path: Path) -> None:
    config = SegmentConfig(manifest=f"{tmp_path}/none.csv", output=f"{tmp_path}/out", storage_patience=1.0)
    with pytest.raises(UserError, match=r"none\.csv"):
        run(config, NullReporter())
    assert current_policy() == StoragePolicy()


def test_a_request_under_way_gives_up_when_its_policy_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "MAX_WAIT_SECONDS", 0.05)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    failures: list[BaseException] = []

    def request() -> None:
        with pytest.raises(StorageError, match="tried again for 0 s") as failure:
            storage.read("s3://bucket/x")
        failures.append(failure.value)

    with storage_policy(StoragePolicy(300.0)) as policy:
        thread = inheriting_thread(request)
        thread.start()
        time.sleep(1.0)
        assert thread.is_alive()
        policy.retry_seconds = 0.0
        thread.join(60)
    assert len(failures) == 1
