"""Which store the storage tests run against, and the way to it for everything that is started meanwhile."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from tests.stores.ceph import PROGRAMS, Ceph, missing_programs
from tests.stores.moto import Moto
from tests.stores.server import Server

STORES: dict[str, type[Server]] = {"ceph": Ceph, "moto": Moto}
# What a developer may have set for the cloud, and would be preferred to a key pair or sent along with it.
OF_OTHERS = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL_S3")


def chosen_store() -> type[Server]:
    """The store that STCN_TEST_STORE names, else Ceph where it is installed, else moto, of which it warns.

    Raises pytest.UsageError for a name that is none.
    """
    name = os.environ.get("STCN_TEST_STORE", "")
    if name and name not in STORES:
        raise pytest.UsageError(f"STCN_TEST_STORE={name!r}; legal: {', '.join(STORES)}, or unset: Ceph where it is")
    missing = missing_programs()
    kind = STORES[name] if name else Moto if missing else Ceph
    if kind is Moto and not name:
        warnings.warn(
            f"storage tests ran against moto, an emulator that checks no signatures: not on PATH: "
            f"{', '.join(missing)}; for Ceph install the Debian packages {' '.join(PROGRAMS)}",
            stacklevel=1,
        )
    return kind


@contextlib.contextmanager
def running(kind: type[Server]) -> Iterator[Server]:
    """A store of this kind in a temporary folder, which goes with it."""
    with tempfile.TemporaryDirectory(prefix="stcn-store-") as folder, kind(Path(folder)) as store:
        yield store


@contextlib.contextmanager
def found_by_default(store: Server) -> Iterator[None]:
    """Inside, s3fs and boto3 reach this store without being told: here, and in processes that are started."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OF_OTHERS:
            patch.delenv(name, raising=False)
        for name, value in store.environment.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # instances keep the endpoint they were made with
        try:
            yield
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
