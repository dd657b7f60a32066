"""infra/aws/bucket-policy.json has what a run asks of S3, for the places where it asks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.io import filesystem, storage
from tests.infra.policies import allows
from tests.reliability.small_run import FIRST, THEN, SmallRun, verified

ACTIONS = {  # of S3's operations, by what they read, write or list
    "HeadObject": ["s3:GetObject"],
    "GetObject": ["s3:GetObject"],
    "ListObjectsV2": ["s3:ListBucket"],
    "HeadBucket": ["s3:ListBucket"],
    "PutObject": ["s3:PutObject"],
    "CreateMultipartUpload": ["s3:PutObject"],
    "UploadPart": ["s3:PutObject"],
    "CompleteMultipartUpload": ["s3:PutObject"],
    "AbortMultipartUpload": ["s3:AbortMultipartUpload"],
    "CopyObject": ["s3:GetObject", "s3:PutObject"],
    "DeleteObject": ["s3:DeleteObject"],
    "DeleteObjects": ["s3:DeleteObject"],
}
Asked = set[tuple[str, str]]  # an action, and the ARN of what it is for


@pytest.fixture
def asked(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """What this process asks of S3, with the bucket named as in tests.infra.policies."""
    seen: Asked = set()

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        keys = [entry["Key"] for entry in params.get("Delete", {}).get("Objects", [])] or [params.get("Key", "")]
        for action in ACTIONS[model.name]:
            places = [""] if action == "s3:ListBucket" else [f"/{key}" for key in keys]
            seen.update((action, f"arn:aws:s3:::bucket{place}") for place in places)

    def session() -> Any:
        made = make_session()
        made.get_component("event_emitter").register("before-parameter-build.s3", note)
        return made

    make_session = filesystem._session
    monkeypatch.setattr(filesystem, "_session", session)
    filesystem._own_s3.clear()
    yield seen
    filesystem._own_s3.clear()


def test_run_asks_for_no_right_that_the_policy_lacks(asked: Asked, bucket: str, tmp_path: Path) -> None:
    big = tmp_path / "big.mp4"
    big.write_bytes(b"x" * 60 * 2**20)  # in parts
    for look in (storage.stat, storage.read):
        with pytest.raises(FileNotFoundError):
            look(f"{bucket}/archive/video.mp4")
    storage.exists(f"{bucket}/archive")  # asks for an object of a folder's name, too
    storage.upload(f"{bucket}/masks/other/merged.parquet", big)
    run = SmallRun(f"{bucket}/masks", tmp_path / "small")
    run.run(FIRST, "one")
    run.run(THEN, "two")
    verified(f"{bucket}/masks")
    assert {action for action, _ in asked} == {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"}
    assert [pair for pair in asked if not allows("bucket-policy.json", *pair)] == []


def test_archive_may_not_be_written() -> None:
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert not allows("bucket-policy.json", action, "arn:aws:s3:::bucket/archive/video.mp4")
        assert allows("bucket-policy.json", action, "arn:aws:s3:::bucket/masks/_ledger/records/1.json")
