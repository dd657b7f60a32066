"""Reads a list of files in the current folder, as videos and as prompts, and prints a line of JSON for each.

A process of its own: what a file does to it, in memory or by killing it, is then seen from outside.
"""

import json
import sys
import time
from pathlib import Path


def carefully(kind: str, path: Path) -> str:
    """Read a file as this project does, a video backward too; says what becomes of it."""
    from jobs.errors import VideoError
    from jobs.inputs.prompts.load import load_prompts
    from jobs.inputs.reversed_video import ReversedVideo
    from jobs.inputs.video import Video
    from jobs.records import Entry

    try:
        if kind == "prompts":
            prompts = load_prompts(path, Entry(video_id="v", video="", prompts=""), None)
            return f"has prompts on {len(prompts.labels)} frames"
        with Video(path) as video:
            frames = sum(1 for _ in video)
        back = ReversedVideo(path, last=frames - 1)
        looked_at, given = list(back.look()), sum(1 for _ in back)
        return f"has {frames} frames" if given == frames else f"has {frames}, {len(looked_at)}, {given} backward"
    except VideoError as error:
        return f"{type(error).__name__}: {error}"


def carelessly(path: Path) -> str:
    """Give the name to both libraries as it is, with their defaults."""
    import av
    from PIL import Image

    for reader in (lambda: next(av.open(str(path), timeout=2).decode(video=0)), lambda: Image.open(path).load()):
        try:
            reader()
            return "was read"
        except Exception:
            continue
    return "was refused"


def peak_mb() -> float:
    """The most memory that this process has held. `ru_maxrss` would count that of the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    for kind, name in json.load(sys.stdin):
        started = time.monotonic()
        print(json.dumps({"kind": kind, "name": name}), flush=True)
        became = carelessly(Path(name)) if kind == "careless" else carefully(kind, Path(name))
        print(json.dumps({"became": became, "seconds": time.monotonic() - started, "peak_mb": peak_mb()}), flush=True)
