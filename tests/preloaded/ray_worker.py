"""What a raylet starts in place of Python: a worker becomes a fork of the server, all else the interpreter itself.

    python -IS ray_worker.py SOCKET PYTHON ARGUMENT...

It stays until the worker has ended, and ends with its exit code; meanwhile a file beside the socket says which raylet
started it. It starts in 20 ms: it imports only what it needs.
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
    request = {"arguments": arguments, "cwd": os.getcwd(), "env": dict(os.environ)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(server)
        files = array.array("i", [1, 2])
        connection.sendmsg([json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
        pid = int(connection.recv(64))
        note = f"{os.path.dirname(server)}/{pid}.raylet"
        with open(note, "w") as file:
            file.write(str(os.getppid()))
        code = int(connection.recv(64) or -1)
    os.unlink(note)
    sys.exit(code)


if __name__ == "__main__":
    main()
