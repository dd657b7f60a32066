"""A process that has imported most of what `stcn` needs, and forks one process for each command: python -m ... FD

A command then begins within 0.5 s of CPU time in place of 3. It is a process of its own with the arguments, folder,
environment and exit code that it was given. Ray is not imported here: as it loads, it reads the environment.
"""

import array
import json
import os
import signal
import socket
import sys
import tempfile
from importlib import import_module
from typing import Any

IMPORTED = (
    "torch", "numpy", "pyarrow.parquet", "av", "PIL.Image", "pycocotools.mask", "safetensors.torch", "rich.progress",
    "s3fs", "jobs.cli.__main__", "jobs.segmenting.segment_video", "jobs.planning.job", "jobs.run.status",
    "jobs.commands.verify", "jobs.commands.evaluate", "stcn_core.acceleration.inference",
)  # fmt: skip
LARGEST_REQUEST = 2**20  # bytes
NUM_FILES = 3  # with each request: its standard output, its standard error, and where the exit code goes


def main() -> None:
    """Serve until the other end closes. Returns in the processes of commands too, to end as Python does."""
    for name in IMPORTED:
        import_module(name)
    assert "ray" not in sys.modules
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        while True:
            message, files = _receive(requests)
            if not message:
                return
            if os.fork() == 0:
                requests.close()
                _wait_for_command(json.loads(message), *files)
                return
            for file in files:
                os.close(file)


def _receive(requests: socket.socket) -> tuple[bytes, list[int]]:
    files = array.array("i")
    room = socket.CMSG_SPACE(NUM_FILES * files.itemsize)
    message, received, _, _ = requests.recvmsg(LARGEST_REQUEST, room)
    for _, _, content in received:
        files.frombytes(content[: len(content) - len(content) % files.itemsize])
    return message, list(files)


def _wait_for_command(request: dict[str, Any], out: int, err: int, status: int) -> None:
    """Start the command, say its process id and, when it is over, its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(status)
        _run(request, out, err)
        return
    os.write(status, b"%d\n" % pid)
    _, code = os.waitpid(pid, 0)
    os.write(status, b"%d\n" % os.waitstatus_to_exitcode(code))
    os._exit(0)


def _run(request: dict[str, Any], out: int, err: int) -> None:
    for file, number in ((out, 1), (err, 2)):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None  # it was looked up in another environment
    sys.argv = [request["program"], *request["args"]]
    import_module("jobs.__main__").main()


if __name__ == "__main__":
    main()
