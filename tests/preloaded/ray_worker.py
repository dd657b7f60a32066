"""What a raylet starts in place of Python: a worker becomes a fork of the server, all else the interpreter itself.

    python -IS ray_worker.py SOCKET PYTHON ARGUMENT...

It stays until the worker has ended, and ends with its exit code. It starts in 20 ms: it imports only what it needs.
"""

import array
import json
import os
import socket
import sys


def main() -> None:
    """Start the worker, and wait for it."""
    server, python, *arguments = sys.argv[1:]
    if not (arguments and arguments[0].endswith("default_worker.py")):
        os.execv(python, [python, *arguments])
    request = {"argv": arguments, "cwd": os.getcwd(), "env": dict(os.environ)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(server)
        files = array.array("i", [1, 2])
        connection.sendmsg([json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        connection.recv(64)
        code = int(connection.recv(64) or -1)
    sys.exit(code)


if __name__ == "__main__":
    main()
