"""What other tests build on: stores that check, keep and arbitrate as real ones do, and leave nothing running."""

import errno
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import s3fs

from jobs.io import storage
from tests.stores.ceph import Ceph, missing_programs
from tests.stores.choice import found_by_default, running
from tests.stores.moto import Moto
from tests.stores.processes import ServerError
from tests.stores.server import Server

WRITERS, ROUNDS = 8, 10
needs_ceph = pytest.mark.skipif(bool(missing_programs()), reason=f"not on PATH: {', '.join(missing_programs())}")


@pytest.fixture(scope="module", params=[pytest.param(Ceph, marks=needs_ceph), Moto], ids=lambda kind: kind.name)
def store(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param) as store:
        yield store


@pytest.fixture
def bucket(store: Server) -> Iterator[str]:
    with found_by_default(store):
        name = f"stores-{secrets.token_hex(8)}"
        s3fs.S3FileSystem().mkdir(name)
        yield f"s3://{name}"


def test_create_only_writes_have_one_winner(bucket: str) -> None:
    for number in range(ROUNDS):
        location = f"{bucket}/log/{number}"
        with ThreadPoolExecutor(WRITERS) as pool:
            won = list(pool.map(lambda i: storage.create(location, b"writer %d" % i), range(WRITERS)))  # noqa: B023
        assert sum(won) == 1, f"round {number}"
        assert storage.read(location) == b"writer %d" % won.index(True)


@pytest.mark.parametrize("store", [pytest.param(Ceph, marks=needs_ceph)], ids=["Ceph"], indirect=True)
def test_stored_objects_survive_a_killed_gateway(store: Ceph, bucket: str) -> None:
    contents = {f"{bucket}/{number}": secrets.token_bytes(10**number) for number in range(8)}  # to 10 MB: 3 pieces
    for location, content in contents.items():
        storage.write(location, content)
    killed = store.gateway
    assert killed is not None
    store.restart_gateway(kill=True)
    assert killed.returncode == -signal.SIGKILL
    assert {location: storage.read(location) for location in contents} == contents


@pytest.mark.parametrize("store", [pytest.param(Ceph, marks=needs_ceph)], ids=["Ceph"], indirect=True)
def test_a_wrong_secret_is_refused(store: Server, bucket: str) -> None:
    key, secret = store.credentials
    wrong = s3fs.S3FileSystem(key=key, secret=secret[::-1])
    with pytest.raises(PermissionError):
        wrong.pipe_file(f"{bucket}/x", b"x")
    with pytest.raises(PermissionError):
        wrong.ls(bucket)
    assert s3fs.S3FileSystem(key=key, secret=secret).ls(bucket) == []


@needs_ceph
def test_failed_ceph_start_says_why_and_leaves_no_process(tmp_path: Path) -> None:
    """The gateway is the last to start, and finds its port taken: it ends with 98, EADDRINUSE."""
    store = Ceph(tmp_path)
    why = f"radosgw.* ended with exit code {errno.EADDRINUSE}; logs are in "
    with socket.create_server(("127.0.0.1", store.port)), pytest.raises(ServerError, match=why):
        store.__enter__()
    assert _commands_with(str(tmp_path)) == []


def test_store_ends_when_its_test_process_is_killed(tmp_path: Path) -> None:
    program = """if True:
        import pathlib, signal, sys
        from tests.stores.moto import Moto
        with Moto(pathlib.Path(sys.argv[1])) as store:
            print(store.port, flush=True)
            signal.pause()
    """
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        socket.create_connection(("127.0.0.1", port)).close()
        process.kill()
    with pytest.raises(ConnectionRefusedError):
        for _ in range(100):
            socket.create_connection(("127.0.0.1", port)).close()
            time.sleep(0.1)


def _commands_with(argument: str) -> list[str]:
    """Command lines of running processes that contain a text."""
    commands = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(file.read_text().replace("\0", " "))
        except OSError:  # ended meanwhile
            continue
    return [command for command in commands if argument in command]
