"""`stcn bench`: the benchmark cases that need video files or Ray, for whole videos and for several actors."""

import functools
import statistics
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.commands.archive_speed import SpeedMeter, archive_speed, write_clip
from jobs.inputs.videos.video import Video
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.records import Entry
from jobs.run.driver import run
from jobs.segmenting.segment_video import segment_video, to_end
from jobs.segmenting.work_item import VideoOptions, WorkItem
from stcn_core.acceleration.inference import for_inference
from stcn_core.benchmark.cases import CASES, Figures, Settings
from stcn_core.benchmark.comparison import propagation
from stcn_core.benchmark.inputs import seeded_stcn
from stcn_core.benchmark.measure import in_turn, median_ratio
from stcn_core.benchmark.report import run_cases
from stcn_core.config import PropagationConfig
from stcn_core.device import find_device
from stcn_core.models.checkpoint import load_model
from stcn_core.models.network import Network

RATE = Fraction(25)
PLAN_WITH = "stcn plan MANIFEST OUTPUT --frames-per-second"


def bench(cases: Sequence[str], device: str, actors: int, *, repeats: int, as_json: bool) -> list[str]:
    """Run benchmark cases, print their figures, and return the figures that miss their budgets.

    cases: names. device: "auto", "cpu" or "cuda". actors: maximum number, for the case "actors". repeats: measurements
    of each figure. as_json: print JSON instead of text. Raises ValueError for illegal arguments.
    """
    if actors < 1:
        raise ValueError(f"--actors {actors} is not usable; legal: 1 or more")

    def scaling(settings: Settings) -> Figures:
        """Frames/s of `stcn segment` with 1 to N actors on this machine, without start-up: stcn-mini, 240p."""
        return _scaling(actors)

    speeds: list[str] = []

    def noted(case: Callable[[Settings], Figures]) -> Callable[[Settings], Figures]:
        """A case whose speed is that of one actor with whole videos, as `stcn plan` takes it."""

        @functools.wraps(case)
        def run_case(settings: Settings) -> Figures:
            figures = case(settings)
            what = str(case.__doc__).rstrip(".").rsplit(": ", 1)[-1]
            speeds.append(f"{PLAN_WITH} {figures['frames_per_second']:.3g}    ({what})")
            return figures

        return run_case

    files = {
        "end-to-end": noted(end_to_end),
        "end-to-end-480p": noted(end_to_end_480p),
        "archive-480p": noted(archive_480p),
        "archive-1080p": archive_1080p,
        "actors": scaling,
    }
    behind = run_cases(CASES | files, cases, Settings(find_device(device), repeats), as_json=as_json)
    if speeds and not as_json:
        print("to expect this speed of each actor:", *speeds, sep="\n  ")
    return behind


def end_to_end(settings: Settings) -> Figures:
    """MP4 to Parquet, compared with the network alone on frames in memory: stcn-mini, 240p, 1 object, 150 frames."""
    return _whole_video(
        settings, for_inference(load_model("stcn-mini", device=settings.device)), 240, width=426, frames=150
    )


def end_to_end_480p(settings: Settings) -> Figures:
    """MP4 to Parquet, compared with the network alone: the published STCN's sizes, 480p, 16 frames, 400 on a GPU."""
    frames = 16 if settings.device.type == "cpu" else 400
    return _whole_video(settings, for_inference(seeded_stcn(settings.device)), 480, width=854, frames=frames)


def archive_480p(settings: Settings) -> Figures:
    """An actor of `stcn segment`, H.264 to Parquet, beside the network alone: the published STCN's sizes, 480p."""
    return archive_speed(settings, seeded_stcn(settings.device), 480, width=854)


def archive_1080p(settings: Settings) -> Figures:
    """The same with files in 1080p, which the network sees at 480p: masks have 1080p."""
    return archive_speed(settings, seeded_stcn(settings.device), 1080, width=1920)


def _scaling(actors: int) -> Figures:
    figures = {}
    with TemporaryDirectory() as folder:
        manifest = draw_archive(_videos(2 * actors), Path(folder) / "archive")
        for count in range(1, actors + 1):
            meter = SpeedMeter()
            run(SegmentConfig(manifest=str(manifest), output=f"{folder}/output{count}", actors=count), meter)
            figures[f"frames_per_second_{count}"] = meter.frames_per_second
    return figures


def _videos(count: int) -> list[DrawnVideo]:
    return [
        DrawnVideo(video_id=f"v{n}", seed=n, frames=60, height=240, width=426, rate=RATE, objects=1)
        for n in range(count)
    ]


def _whole_video(settings: Settings, model: Network, height: int, *, width: int, frames: int) -> Figures:
    config = PropagationConfig.for_model(model)
    with TemporaryDirectory() as name:
        folder = Path(name)
        prompt = write_clip(folder, frames, height, width=width)
        with Video(folder / "video.mp4") as video:
            decoded = [frame.image for frame in video]

        def whole() -> None:
            item = WorkItem(
                entry=Entry(video_id="v", video=str(folder / "video.mp4"), prompts=str(folder / "prompts")),
                work_id="work",
                options=VideoOptions(propagation=config),
                expected_frames=frames,
            )
            _, tables = to_end(segment_video(item, folder / "video.mp4", folder / "prompts", model=model))
            with store.MaskWriter(folder / "masks.parquet") as masks:
                for table in tables:
                    masks.add(table)

        runs = {"network": propagation(model, decoded, prompt, config=config), "whole": whole}
        in_turn(runs, 1, settings.device)  # warm-up
        seconds = in_turn(runs, 3 * settings.repeats, settings.device)  # a run takes seconds, so noise needs many runs
    return {
        "frames_per_second": frames / statistics.median(seconds["whole"]),
        "network_frames_per_second": frames / statistics.median(seconds["network"]),
        "share_of_network": median_ratio(seconds["network"], seconds["whole"]),
        "overhead": median_ratio(seconds["whole"], seconds["network"]) - 1,
    }
