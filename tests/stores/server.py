"""What all S3 servers of the tests have in common."""

import socket
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.stores.processes import Processes, ServerError


class Server(ABC):
    """An S3 server that lives as long as its `with` block. It listens on 127.0.0.1 only.

    `folder`, new or empty, takes all of its data and logs.
    """

    name: str
    telling = ""  # pattern of the lines of its logs that are worth quoting
    credentials: tuple[str, str]  # access key, secret key

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.processes = Processes(self.folder, self.telling)

    @abstractmethod
    def start(self) -> None:
        """Start all processes; return once requests are answered. Raises ServerError."""

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead boto3 and s3fs to this server."""
        key, secret = self.credentials
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }  # fmt: skip

    def __enter__(self) -> Self:
        """Raises ServerError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise ServerError(f"{self.folder} is not empty; give a new or empty folder for the server's data")
        try:
            self.start()
        except BaseException:  # also Ctrl-C: what is up already has to go
            self.processes.end_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.processes.end_all()

    def wait_for_answer(self, path: str) -> None:
        """Return once a GET of this path is answered, with a status below 500. Raises ServerError."""
        self.processes.wait_until(lambda: _answers(self.endpoint + path), self.name)


def free_port() -> int:
    """A TCP port on loopback that nobody listens at."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True
