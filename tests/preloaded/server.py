"""A process that has imported most of what `stcn` and its actors need, and forks one process for each request.

    python -m tests.preloaded.server FD

It serves on the Unix socket that is open as FD, and ends when its standard input does.
"""

import array
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import tempfile
from importlib import import_module
from typing import Any

IMPORTED = (
    "torch", "numpy", "pyarrow.dataset", "av", "PIL.Image", "pycocotools.mask", "safetensors.torch", "rich.progress",
    "s3fs", "jobs.cli.__main__", "jobs.actors.shard_file", "jobs.actors.watchdog", "jobs.segmenting.segment_video",
    "jobs.planning.job", "jobs.watching.summary", "jobs.commands.verify", "jobs.commands.evaluate",
    "stcn_core.acceleration.inference", "jsonschema", "requests", "aiohttp", "torch._dynamo", "torch.utils.tensorboard",
)  # fmt: skip
LARGEST_REQUEST = 2**20  # bytes
NUM_FILES = 2  # with each request: its standard output and standard error


def main() -> None:
    """Serve until standard input closes. Returns in the processes of requests too, to end as Python does."""
    for name in IMPORTED:
        import_module(name)
    assert "ray" not in sys.modules  # as it loads, it reads the environment: a worker's job, among others
    gc.collect()
    gc.freeze()  # what is imported outlives every process: without this each takes 1.4 s to end
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        while sys.stdin not in (ready := select.select([listener, sys.stdin], [], [])[0]):
            assert listener in ready
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _wait_for_process(connection)
                return
            connection.close()


def _wait_for_process(connection: socket.socket) -> None:
    """Start the process, say its id and, when it is over, its exit code."""
    request, files = _receive(connection)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(request, files)
        return
    with contextlib.suppress(OSError):  # who asked is gone
        connection.send(b"%d" % pid)
        _, code = os.waitpid(pid, 0)
        connection.send(b"%d" % os.waitstatus_to_exitcode(code))
    os._exit(0)


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    files = array.array("i")
    room = socket.CMSG_SPACE(NUM_FILES * files.itemsize)
    message, received, _, _ = connection.recvmsg(LARGEST_REQUEST, room)
    for _, _, content in received:
        files.frombytes(content[: len(content) - len(content) % files.itemsize])
    return json.loads(message), list(files)


def _become(request: dict[str, Any], files: list[int]) -> None:
    """Become the process: take over its files, folder and environment, and run what Python would run."""
    for file, number in zip(files, (1, 2), strict=True):
        os.dup2(file, number)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the server's own end of its life
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[:0] = filter(None, request["env"].get("PYTHONPATH", "").split(os.pathsep))
    if python := request.get("python"):
        sys.executable = python
    else:
        os.setpgid(0, 0)  # a raylet kills its workers' groups, which shall not be that of the tests
    tempfile.tempdir = None  # it was looked up in another environment
    _run(request["arguments"])


def _run(arguments: list[str]) -> None:
    """Run a script, -m MODULE or -c CODE, as Python's main module."""
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = arguments
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
