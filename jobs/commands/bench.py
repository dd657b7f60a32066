"""The cases of the benchmark that need video files or Ray: whole videos from H.264 to Parquet, and several actors."""

import statistics
import time
from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.inputs.video import Video
from jobs.outputs import store
from jobs.outputs.label_maps import to_image
from jobs.outputs.video_writer import VideoWriter
from jobs.planning.config import SegmentConfig
from jobs.records import Entry, WorkItem
from jobs.run.driver import run
from jobs.run.progress import Counts, NullReporter
from jobs.segmenting.segment_video import Segmented, segment_video
from stcn_core.acceleration.inference import for_inference
from stcn_core.benchmark.cases import CASES, Figures, Settings
from stcn_core.benchmark.comparison import propagation
from stcn_core.benchmark.inputs import clip, seeded_stcn
from stcn_core.benchmark.measure import in_turn, median_ratio
from stcn_core.benchmark.report import find_device, run_cases
from stcn_core.config import PropagationConfig
from stcn_core.models.checkpoint import load_model
from stcn_core.models.network import Network

RATE = Fraction(25)


def bench(cases: Sequence[str], device: str, actors: int, *, repeats: int, as_json: bool) -> list[str]:
    """Run cases, print their figures, return what is behind its budget. Raises ValueError for what is not usable."""
    if actors < 1:
        raise ValueError(f"--actors {actors} is not usable; legal: 1 or more")

    def scaling(settings: Settings) -> Figures:
        """Frames/s of `stcn segment` with 1 to N actors that share this machine: stcn-mini, 240p; start-up left out."""
        return _scaling(actors)

    files = {"end-to-end": end_to_end, "end-to-end-480p": end_to_end_480p, "actors": scaling}
    return run_cases(CASES | files, cases, Settings(find_device(device), repeats), as_json=as_json)


def end_to_end(settings: Settings) -> Figures:
    """An MP4 to Parquet against the network alone on frames in memory: stcn-mini, 240p, 1 object, 150 frames."""
    return _whole_video(
        settings, for_inference(load_model("stcn-mini", device=settings.device)), 240, width=426, frames=150
    )


def end_to_end_480p(settings: Settings) -> Figures:
    """The same for the published STCN's sizes, 480p, 16 frames on a CPU and 400 on a GPU."""
    frames = 16 if settings.device.type == "cpu" else 400
    return _whole_video(settings, for_inference(seeded_stcn(settings.device)), 480, width=854, frames=frames)


def _scaling(actors: int) -> Figures:
    figures = {}
    with TemporaryDirectory() as folder:
        manifest = draw_archive(_videos(2 * actors), Path(folder) / "archive")
        for count in range(1, actors + 1):
            watch = _Watch()
            run(SegmentConfig(manifest=str(manifest), output=f"{folder}/output{count}", actors=count), watch)
            figures[f"frames_per_second_{count}"] = watch.frames_per_second
    return figures


def _videos(count: int) -> list[DrawnVideo]:
    return [
        DrawnVideo(video_id=f"v{n}", seed=n, frames=60, height=240, width=426, rate=RATE, objects=1)
        for n in range(count)
    ]


class _Watch(NullReporter):
    """Times a run from its first frames to its last."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def update(self, counts: Counts) -> None:
        if counts.frames and (not self._seen or counts.frames > self._seen[-1][1]):
            self._seen.append((time.monotonic(), counts.frames))

    @property
    def frames_per_second(self) -> float:
        (start, before), (end, after) = self._seen[0], self._seen[-1]
        return (after - before) / (end - start)


def _whole_video(settings: Settings, model: Network, height: int, *, width: int, frames: int) -> Figures:
    config = PropagationConfig.for_model(model)
    with TemporaryDirectory() as name:
        folder = Path(name)
        images, prompt = clip(frames, height, width, objects=1)
        with VideoWriter(folder / "video.mp4", RATE) as writer:
            for image in images:
                writer.write(image)
        (folder / "prompts").mkdir()
        to_image(prompt).save(folder / "prompts/00000.png")
        with Video(folder / "video.mp4") as video:
            decoded = [frame.image for frame in video]

        def whole() -> None:
            item = WorkItem(
                entry=Entry(video_id="v", video=str(folder / "video.mp4"), prompts=str(folder / "prompts")),
                work_id="work",
                expected_frames=frames,
            )
            _, tables = _returned(
                segment_video(item, folder / "video.mp4", folder / "prompts", model=model, config=config)
            )
            with store.MaskWriter(folder / "masks.parquet") as masks:
                for table in tables:
                    masks.add(table)

        runs = {"network": propagation(model, decoded, prompt, config=config), "whole": whole}
        in_turn(runs, 1, settings.device)  # to warm up
        seconds = in_turn(runs, 3 * settings.repeats, settings.device)  # seconds each: noise takes many
    return {
        "frames_per_second": frames / statistics.median(seconds["whole"]),
        "network_frames_per_second": frames / statistics.median(seconds["network"]),
        "share_of_network": median_ratio(seconds["network"], seconds["whole"]),
        "overhead": median_ratio(seconds["whole"], seconds["network"]) - 1,
    }


def _returned(work: Generator[int, None, Segmented]) -> Segmented:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
