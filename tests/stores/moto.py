"""moto's server: an emulator of S3, in memory, which checks no signatures. For where Ceph cannot be had."""

import sys

from tests.stores.server import Server


class Moto(Server):
    """Up in a second, anywhere. What is written is gone with its process."""

    name = "moto"
    credentials = ("test", "test")

    def start(self) -> None:
        """Raises ServerError."""
        self.processes.start(sys.executable, "-m", "tests.stores.moto_server", str(self.port))
        self.wait_for_answer("/moto-api/")
