"""Which process works on an output, and whether it is alive: a small file that the process renews every few seconds.

The check is best-effort; the log (`ledger`) guarantees correctness. The log alone does not suffice: its record of a run
says who began it, not whether that process lives, and a second run that begins takes the output over. A scheduler that
starts a command twice would thus end a healthy run, and lose its uncommitted work.
"""

import getpass
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from jobs.concurrency import interrupt
from jobs.concurrency.threads import inheriting_thread
from jobs.errors import UserError
from jobs.io import storage

LOCK_FILE = "_holder.json"
HEARTBEAT_SECONDS = 5.0
SILENCE_SECONDS = 20.0  # after which a process on another machine is taken for dead


def describe_process() -> dict[str, Any]:
    """Describe this process, so that another one can tell whether it lives."""
    return {
        "user": getpass.getuser(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "machine": _machine(),
        "process_started": psutil.Process().create_time(),
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


@contextmanager
def run_lock(output: str, run: str, me: dict[str, Any]) -> Iterator[None]:
    """Hold an output. Raises UserError if a living process holds it; the check may take `SILENCE_SECONDS`."""
    location = storage.join(output, LOCK_FILE)
    _refuse_if_locked(output, location)
    ended = threading.Event()
    beats = inheriting_thread(_heartbeat, location, {"run": run, **me}, ended)
    storage.write(location, json.dumps({"run": run, **me}).encode())
    beats.start()
    try:
        yield
    finally:
        ended.set()
        beats.join()
        with suppress(OSError):  # a lock file that stays behind does no harm
            if (there := _read(location)) and there["run"] == run:
                storage.remove(location)


def _refuse_if_locked(output: str, location: str) -> None:
    first = _read(location)
    if first is None or not (_heartbeats(location, first) if (is_alive := is_alive_here(first)) is None else is_alive):
        return
    raise UserError(
        f"{output} is held by the run {first['run']}: process {first['pid']} of {first['user']} on {first['host']}, "
        f"since {first['since']}, is at work on it; wait for it, or stop it and run the same command again"
    )


def _read(location: str) -> dict[str, Any] | None:
    try:
        return dict(json.loads(storage.read(location)))
    except (FileNotFoundError, ValueError):
        return None


def is_alive_here(process: Mapping[str, Any]) -> bool | None:
    """Whether a process lives that `describe_process` described; None if it is another machine's."""
    return _is_alive(process) if process["machine"] == _machine() else None


def _is_alive(holder: Mapping[str, Any]) -> bool:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(holder["pid"])
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() == holder["process_started"])
    return False


def _heartbeats(location: str, first: dict[str, Any]) -> bool:
    """Whether a process on another machine renews its file; clocks are not compared."""
    deadline = time.monotonic() + SILENCE_SECONDS
    while time.monotonic() < deadline:
        interrupt.check()
        time.sleep(HEARTBEAT_SECONDS / 5)
        now = _read(location)
        if now != first:
            return now is not None
    return False


def _heartbeat(location: str, holder: dict[str, Any], ended: threading.Event) -> None:
    beat = 0
    while not ended.wait(HEARTBEAT_SECONDS):
        beat += 1
        with suppress(OSError):  # the run itself notices if storage is gone
            if (there := _read(location)) and there["run"] != holder["run"]:
                return  # this process was taken for dead; its next commit fails and says so
            storage.write(location, json.dumps(holder | {"beat": beat}).encode())


def _machine() -> str:
    """Identify the boot and the PID namespace, within which a process id is unique."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    return f"{socket.gethostname()}/{psutil.boot_time():.0f}"
