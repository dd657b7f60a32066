"""The parts that the promises are tested with: see tests/jobs/conftest.py."""

from collections.abc import Iterator

import pytest

from jobs.patience import PATIENCE_SECONDS, set_patience
from tests.jobs.conftest import archive, bucket, model_file, ray_cluster, s3_endpoint

__all__ = ["archive", "bucket", "model_file", "ray_cluster", "s3_endpoint"]


@pytest.fixture(autouse=True)
def _impatience() -> Iterator[None]:
    """Nobody waits five minutes for a test's fault to pass."""
    set_patience(10.0)
    yield
    set_patience(PATIENCE_SECONDS)
