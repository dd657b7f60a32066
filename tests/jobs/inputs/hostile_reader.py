"""Reads a list of files in the current folder, as videos and as prompts, and prints lines of JSON for each.

It runs as a process of its own, so that a file's effects, such as its memory or its death, are visible from outside.
"""

import json
import sys
import time
from pathlib import Path


def carefully(kind: str, path: Path) -> str:
    """Read a file as this project does, videos also backward, and describe the outcome."""
    from jobs.errors import VideoError
    from jobs.inputs.prompts.load import load_prompts
    from jobs.inputs.videos.reversed_video import ReversedVideo
    from jobs.inputs.videos.video import Video
    from jobs.records import Entry

    try:
        if kind == "prompts":
            prompts = load_prompts(path, Entry(video_id="v", video="", prompts=""), None)
            return f"has prompts on {len(prompts.labels)} frames"
        with Video(path) as video:
            frames = sum(1 for _ in video)
        back = ReversedVideo(path, last=frames - 1)
        scanned, given = list(back.scan()), sum(1 for _ in back)
        return f"has {frames} frames" if given == frames else f"has {frames}, {len(scanned)}, {given} backward"
    except VideoError as error:
        return f"{type(error).__name__}: {error}"


def carelessly(path: Path) -> str:
    """Read a file with the defaults of PyAV and Pillow, and describe the outcome."""
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
    """Return the peak memory of this process in MiB. `ru_maxrss` would include that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    for kind, name in json.load(sys.stdin):
        started = time.monotonic()
        print(json.dumps({"kind": kind, "name": name}), flush=True)
        became = carelessly(Path(name)) if kind == "careless" else carefully(kind, Path(name))
        print(json.dumps({"became": became, "seconds": time.monotonic() - started, "peak_mb": peak_mb()}), flush=True)
