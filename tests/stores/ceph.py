"""Ceph's RADOS Gateway: one monitor, one disk and the gateway, on loopback, in a folder.

    python -m tests.stores.ceph FOLDER

starts one by hand, prints the variables that lead to it, and ends it on Ctrl-C.
"""

import secrets
import shutil
import signal
import sys
import uuid
from pathlib import Path

from tests.stores.ceph_config import configure
from tests.stores.processes import Process, ServerError
from tests.stores.server import Server, free_port

PROGRAMS = ("radosgw", "ceph-mon", "ceph-osd")  # each is in the Debian package of its name


class Ceph(Server):
    """A store with everything a test could doubt in an emulator: signatures, concurrency, data on disk.

    What is written survives `restart_gateway`. Needs no root.
    """

    name = "Ceph"
    telling = " -1 |[Ee]rror|FAILED|could not"  # -1 is the level of its logs' errors

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.credentials = (secrets.token_hex(10), secrets.token_hex(20))
        self.gateway: Process | None = None

    def start(self) -> None:
        """About 6 s. Raises ServerError."""
        if missing := missing_programs():
            raise ServerError(f"not on PATH: {', '.join(missing)}; install the Debian packages {' '.join(PROGRAMS)}")
        cluster_id, mon_port = str(uuid.uuid4()), free_port()
        configure(self.folder, cluster_id, mon_port, self.port)
        self._start_mon(cluster_id, mon_port)
        self._start_disk()
        key, secret = self.credentials
        user = ["--uid", "tests", "--display-name", "tests", "--access-key", key, "--secret", secret]
        self.processes.run("radosgw-admin", *self._as("client.admin"), "user", "create", *user)
        self.start_gateway()

    def restart_gateway(self, *, kill: bool = True) -> None:
        """End the gateway by SIGKILL, or by SIGTERM (`kill=False`), and start it again at the same endpoint.

        Returns once it answers, 0.2 to 0.4 s after a kill. Raises ServerError.
        """
        self.stop_gateway(kill=kill)
        self.start_gateway()

    def stop_gateway(self, *, kill: bool = True) -> None:
        """Connections are refused from now on; data stay."""
        assert self.gateway is not None, "the gateway does not run"
        if not kill:
            self.gateway.terminate()
            self.gateway.wait(timeout=30)
        self.processes.end(self.gateway)
        self.gateway = None

    def start_gateway(self) -> None:
        """After `stop_gateway`. Returns once it answers. Raises ServerError."""
        self.gateway = self.processes.start("radosgw", *self._as("client.admin"), "-f")
        self.wait_for_answer("/swift/healthcheck")

    def _start_mon(self, cluster_id: str, port: int) -> None:
        monmap = self.folder / "monmap"
        address = f"[v2:127.0.0.1:{port}]"
        self.processes.run("monmaptool", "--create", "--addv", "a", address, "--fsid", cluster_id, monmap)
        (self.folder / "mon").mkdir()
        mon = self._as("mon.a")
        self.processes.run("ceph-mon", *mon, "-f", "--mkfs", "--monmap", monmap, "--keyring", self.folder / "keyring")
        self.processes.start("ceph-mon", *mon, "-f")

    def _start_disk(self) -> None:
        (self.folder / "osd").mkdir()
        disk = str(uuid.uuid4())
        self.processes.run("ceph", *self._as("client.admin"), "osd", "new", disk, "0")
        self.processes.run("ceph-osd", *self._as("osd.0"), "-f", "--mkfs", "--osd-uuid", disk)
        self.processes.start("ceph-osd", *self._as("osd.0"), "-f")

    def _as(self, name: str) -> tuple[str, str, str, str]:
        return ("--conf", str(self.folder / "ceph.conf"), "--name", name)


def missing_programs() -> list[str]:
    """What a start would need and is not on PATH."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def main() -> None:
    """What `python -m tests.stores.ceph FOLDER` does."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.stores.ceph FOLDER")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Ceph(Path(sys.argv[1])) as store:
            for name, value in store.environment.items():
                print(f"export {name}={value}", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        pass
    except ServerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
