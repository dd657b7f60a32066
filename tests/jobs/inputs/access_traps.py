"""Traps that tell when something was touched: a server, a file, a program."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

IN_OPEN = 0x20


class Canary:
    """A server on this machine that counts who connects."""

    def __init__(self) -> None:
        self.connections = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        canary = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                canary.connections += 1
                super().setup()

            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    @contextmanager
    def listening(self) -> Iterator["Canary"]:
        """Answers while inside."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()
        thread.join()


class OpenedFile:
    """Whether a file was opened, by any process. Raises OSError where that cannot be known."""

    def __init__(self, path: Path) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError("who opens a file is asked of inotify, which only Linux has")
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(os.O_NONBLOCK)
        if self._events < 0 or libc.inotify_add_watch(self._events, os.fsencode(path), IN_OPEN) < 0:
            raise OSError(f"inotify refuses to watch: {os.strerror(ctypes.get_errno())}")

    def was_opened(self) -> bool:
        """Since the beginning; asked once."""
        try:
            return bool(os.read(self._events, 2**16))
        except BlockingIOError:
            return False
        finally:
            os.close(self._events)


def ghostscript(folder: Path) -> Path:
    """A `gs` in a folder that does nothing but leave a file, whose path is returned."""
    folder.mkdir()
    (folder / "gs").write_text('#!/bin/sh\ntouch "$0.ran"\n')
    (folder / "gs").chmod(0o755)
    return folder / "gs.ran"
