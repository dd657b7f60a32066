"""The speed of an actor with an archive, from H.264 files to Parquet, beside that of its network alone."""

import csv
import time
from fractions import Fraction
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from jobs.actors.clips_at_once import MOST
from jobs.inputs.videos.video import Video
from jobs.outputs.label_maps import to_image
from jobs.outputs.video_writer import VideoWriter
from jobs.planning.config import SegmentConfig
from jobs.run.driver import run
from jobs.watching.progress import Counts, NullReporter
from stcn_core.acceleration.compiled import compiled
from stcn_core.acceleration.compiler import missing_for
from stcn_core.acceleration.inference import for_inference
from stcn_core.benchmark.cases import Figures, Settings
from stcn_core.benchmark.inputs import clip
from stcn_core.benchmark.throughput import arrival_times
from stcn_core.config import PropagationConfig
from stcn_core.models.checkpoint import save_model
from stcn_core.models.network import Network

RATE = Fraction(25)
FRAMES, ROUNDS = 300, 6  # of each video; videos that an actor segments one after another in each of its places


class SpeedMeter(NullReporter):
    """Measures the speed of a run between its first and its last report of frames."""

    def __init__(self) -> None:
        self._reports: list[tuple[float, int]] = []  # time in seconds, and frames done

    def update(self, counts: Counts) -> None:
        if counts.frames and (not self._reports or counts.frames > self._reports[-1][1]):
            self._reports.append((time.monotonic(), counts.frames))

    @property
    def frames_per_second(self) -> float:
        (start, first), (end, last) = self._reports[0], self._reports[-1]
        return (last - first) / (end - start)


def archive_speed(settings: Settings, model: Network, height: int, *, width: int) -> Figures:
    """Return the frames/s of one actor, without start-up, of its network alone, and the share that is left.

    The network alone has its frames in memory, at the size at which it sees them.
    """
    on_gpu = settings.device.type == "cuda"
    clips = MOST if on_gpu else 1
    with TemporaryDirectory() as name:
        folder = Path(name)
        prompt = write_clip(folder, FRAMES, height, width=width)
        save_model(model, folder / "model.safetensors")
        meter = SpeedMeter()
        options = SegmentConfig(
            manifest=str(_manifest(folder, clips * ROUNDS)),
            output=str(folder / "output"),
            model=str(folder / "model.safetensors"),
            device="cuda" if on_gpu else "cpu",
            actors=1,
            clips_per_actor=clips,
        )
        run(options, meter)
        network = for_inference(model)
        network = network if missing_for(settings.device) else compiled(network)  # as the actor has it
        alone = _network_alone(network, folder, prompt, clips=clips, short_side=options.short_side)
    return {
        "frames_per_second": meter.frames_per_second,
        "network_frames_per_second": alone,
        "share_of_network": meter.frames_per_second / alone,
    }


def write_clip(folder: Path, frames: int, height: int, *, width: int) -> np.ndarray:
    """Write video.mp4 and its prompts/ to a folder. Returns the label map of frame 0, (H, W)."""
    images, prompt = clip(frames, height, width, objects=1)
    with VideoWriter(folder / "video.mp4", RATE) as writer:
        for image in images:
            writer.write(image)
    (folder / "prompts").mkdir()
    to_image(prompt).save(folder / "prompts/00000.png")
    return prompt


def _manifest(folder: Path, videos: int) -> Path:
    """A manifest with the same file as many videos."""
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("video_id", "video", "prompts"))
        writer.writerows((f"v{number}", "video.mp4", "prompts") for number in range(videos))
    return path


def _network_alone(network: Network, folder: Path, prompt: np.ndarray, *, clips: int, short_side: int) -> float:
    """Frames/s of the same clips at once, whose frames lie on the network's device; masks have the prompt's size."""
    device = next(network.parameters()).device
    with Video(folder / "video.mp4", short_side=short_side) as video:
        frames = [torch.from_numpy(frame.image).permute(2, 0, 1).contiguous().to(device) for frame in video]
    started = time.perf_counter()
    config = PropagationConfig.for_model(network)
    times = arrival_times(network, frames, prompt, clips=clips, config=config)
    return clips * len(frames) / (max(chain.from_iterable(times)) - started)
