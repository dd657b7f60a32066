"""What harms the process that reads a video, in earnest: signals while it has the file open, a file that does not
answer, frames that fill memory, names that no table can hold."""

import fcntl
import os
import signal
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import av
import numpy as np
from PIL import Image

from jobs.outputs.label_maps import to_image
from tests.reliability.processes import readers_of

LOOK_SECONDS = 0.03
HUGE = 4096  # pixels; twelve such frames take 0.6 GiB as they are decoded, and 2 GiB with the network


class _Watching(ABC):
    """A thread that looks every now and then. A context manager."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            self._look()

    @abstractmethod
    def _look(self) -> None: ...


class Striking(_Watching):
    """While inside, each process that has a file open is sent a signal, once."""

    def __init__(self, path: Path, number: signal.Signals) -> None:
        super().__init__()
        self._path, self._number = path, number
        self.struck: set[int] = set()

    def _look(self) -> None:
        for pid in readers_of(self._path)[self._path] - self.struck:
            self.struck.add(pid)
            os.kill(pid, self._number)


class Unanswering(_Watching):
    """While inside, opening a file does not return, as on a network disk that is gone: who opens it waits for a lease.

    Linux lets a waiting process in after 45 s; so each finds a file of its own, and waits for at least that long.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._content, self._stat = path, path.read_bytes(), path.stat()
        self._held: list[BinaryIO] = []

    @property
    def waited(self) -> int:
        """How many have tried to open it."""
        return len(self._held) - 1

    def __enter__(self) -> Self:
        self._hold()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        for file in self._held:
            file.close()

    def _look(self) -> None:
        if fcntl.fcntl(self._held[-1], fcntl.F_GETLEASE) != fcntl.F_WRLCK:
            self._hold()

    def _hold(self) -> None:
        """Put a new file in the path's place, by all signs the same, and take its lease."""
        new = self._path.with_name(f"{self._path.name}-{len(self._held)}")
        new.write_bytes(self._content)
        os.utime(new, ns=(self._stat.st_atime_ns, self._stat.st_mtime_ns))
        file = new.open("rb")
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(file, fcntl.F_SETOWN, 0)  # nobody need be told by a signal
        os.replace(new, self._path)
        self._held.append(file)


def draw_hungry(video: Path, prompt: Path) -> None:
    """Frames that fill memory, if they are not scaled down."""
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width, stream.pix_fmt = HUGE, HUGE, "yuv420p"
        for _ in range(12):
            container.mux(stream.encode(av.VideoFrame(HUGE, HUGE, "yuv420p")))
        container.mux(stream.encode(None))
    labels = np.zeros((HUGE, HUGE), np.uint8)
    labels[: HUGE // 2, : HUGE // 2] = 1
    to_image(labels).save(prompt)


def draw_misnamed(folder: Path) -> None:
    """Sound images whose names are no UTF-8."""
    folder.mkdir(parents=True)
    for t in range(3):
        with open(os.fsencode(folder) + b"/\xff%d.png" % t, "wb") as file:
            Image.new("RGB", (64, 48), (40 * t, 0, 0)).save(file, "png")
