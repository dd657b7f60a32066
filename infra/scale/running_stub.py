"""Starts the stub of S3 for a measurement, and counts its requests."""

import ast
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SECRETS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class Store:
    """A running stub."""

    url: str

    def requests(self) -> dict[str, int]:
        """Requests by kind since the last call."""
        with urllib.request.urlopen(f"{self.url}/_requests") as answer:
            return dict(ast.literal_eval(answer.read().decode()))


@contextmanager
def s3(delay: float, videos: int = 0, *, apart: bool = False) -> Iterator[Store]:
    """A stub, with the files of so many videos and their prompts, which this process uses for S3."""
    command = [sys.executable, str(HERE / "s3_stub.py"), str(delay), str(videos), *(["--apart"] if apart else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        os.environ |= SECRETS | {"AWS_ENDPOINT_URL": url}
        try:
            yield Store(url)
        finally:
            process.kill()
