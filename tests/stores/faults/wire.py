"""Bytes on sockets: bodies as pieces, connections that can be cut."""

import fcntl
import http.client
import socket
import struct
import termios
import threading
import weakref
from collections.abc import Iterable, Iterator
from io import BufferedIOBase

PIECE = 64 * 1024  # bytes; a body of any length is never held whole


class FaultError(Exception):
    """A fault could not do what it is for. The proxy raises it when it closes, so that no test passes by it."""


class ClientGoneError(Exception):
    """The client left before its request was whole."""


class Connections:
    """The open connections of a proxy, and the news that it closes."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def hold(self, sock: socket.socket) -> None:
        """Cut this one too when the proxy closes. Raises ConnectionAbortedError if it does already."""
        with self._lock:
            self.wait(0)
            self._open.add(sock)

    def wait(self, seconds: float | None) -> None:
        """Sleep; None: as long as the proxy is open. Raises ConnectionAbortedError when it closes."""
        if self._closing.wait(seconds):
            raise ConnectionAbortedError("the proxy closes")

    def cut(self) -> None:
        """End everything that reads from, writes to or waits for these connections."""
        self._closing.set()
        with self._lock:
            for sock in self._open:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:  # it has ended by itself
                    continue


def counted(file: BufferedIOBase, num_bytes: int) -> Iterator[bytes]:
    """A request's body of known length."""
    while num_bytes:
        try:
            piece = file.read(min(num_bytes, PIECE))
        except OSError as error:
            raise ClientGoneError from error
        if not piece:
            raise ClientGoneError
        yield piece
        num_bytes -= len(piece)


def chunked(file: BufferedIOBase) -> Iterator[bytes]:
    """A request's body in HTTP chunks, without their frames; trailers are dropped."""
    while num_bytes := int(_line(file).partition(b";")[0], 16):
        yield from counted(file, num_bytes)
        _line(file)
    while _line(file).strip():
        pass


def pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """A reply's body. Raises IncompleteRead if the store ends it early."""
    while piece := response.read(PIECE):
        yield piece
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)


def first(body: Iterable[bytes], num_bytes: int) -> Iterator[bytes]:
    """The first bytes of a body. Raises FaultError at its end if there are no more than these."""
    left = num_bytes
    for piece in body:
        if left:
            yield piece[:left]
        if len(piece) > left:
            return
        left -= len(piece)
    raise FaultError(f"a fault was to cut a reply's body after {num_bytes} bytes, but it has {num_bytes - left}")


def framed(piece: bytes) -> bytes:
    """A piece as an HTTP chunk; an empty one is the body's end."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def unsent(sock: socket.socket) -> int:
    """Bytes that were written and that the other side has not acknowledged."""
    return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), "little")


def reset_on_close(sock: socket.socket) -> None:
    """Have close() send RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _line(file: BufferedIOBase) -> bytes:
    try:
        line = file.readline(PIECE)
    except OSError as error:
        raise ClientGoneError from error
    if not line:
        raise ClientGoneError
    return line
