"""The Ray shell over `segment`: one process that holds a model and works through shards."""

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import ray
import torch

from jobs import storage, store
from jobs.ahead import Ahead
from jobs.errors import PromptError, VideoError
from jobs.records import Event, FramesDone, Shard, ShardWritten, VideoFinished, VideoRow, VideoStarted, WorkItem
from jobs.segment import Segmented, failed_row, segment_video
from stcn_core.allocator import keep_memory_in_large_pages
from stcn_core.checkpoint import load_model
from stcn_core.config import PropagationConfig
from stcn_core.inference import for_inference

REPORT_SECONDS = 0.5  # between reports of frames done


class Segmenter:
    """Loads a model once, then segments whatever shards it is given. The driver makes it a Ray actor."""

    def __init__(self, model: bytes, device: str, precision: str, threads: int, config: PropagationConfig) -> None:
        torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        keep_memory_in_large_pages()
        self._model = for_inference(
            load_model(model, device), None if precision == "auto" else getattr(torch, precision)
        )
        self._config = config

    def ready(self) -> str:
        """The id of the node it is on, once the model is loaded."""
        return str(ray.get_runtime_context().get_node_id())

    def run(self, shard: Shard, attempt: str) -> Iterator[Event]:
        """Segment a shard's videos one after another, and write their masks into the folder `attempt`.

        A video's own error becomes its row. Anything else is raised: it is the shard's.
        """
        with TemporaryDirectory(prefix="stcn-") as folder:
            masks = Path(folder) / f"{shard.shard_id}.parquet"
            rows: list[VideoRow] = []
            fetching = Ahead((_Fetched(item) for item in shard.items), most=1)
            with store.MaskWriter(masks) as writer, fetching as fetched:
                for video in fetched:
                    yield VideoStarted(video.item.work_id)
                    with video.folder:
                        row, tables = yield from self._segment(video)
                    for table in tables:
                        writer.add(table)
                    rows.append(row)
                    yield VideoFinished(row)
            yield _upload(masks, storage.join(attempt, masks.name), any(row.status == "done" for row in rows))

    def _segment(self, fetched: "_Fetched") -> Generator[Event, None, Segmented]:
        started = time.monotonic()
        try:
            video, prompts = fetched.paths()
            work = segment_video(fetched.item, video, prompts, self._model, self._config)
            return (yield from _reported(work))
        except Exception as error:
            # Whatever a video's bytes bring about is that video's failure, never the job's.
            return failed_row(fetched.item, error, seconds=time.monotonic() - started), []


class _Fetched:
    """A video and its prompts in a folder of this machine; made while the video before is segmented."""

    def __init__(self, item: WorkItem) -> None:
        self.item = item
        self.folder = TemporaryDirectory(prefix="stcn-")
        self._error: Exception | None = None
        entry, folder = item.entry, Path(self.folder.name)
        try:
            self._video = _download(entry.video, folder / "video", VideoError)
            self._prompts = _download(entry.prompts, folder / "prompts", PromptError)
        except Exception as error:
            self._error = error

    def paths(self) -> tuple[Path, Path]:
        """The video's and the prompts'. Raises what went wrong."""
        if self._error:
            raise self._error
        return self._video, self._prompts


def _download(location: str, folder: Path, error: type[VideoError]) -> Path:
    try:
        return storage.download(location, folder)
    except FileNotFoundError as missing:
        raise error(str(missing)) from missing


def _reported(work: Generator[int, None, Segmented]) -> Generator[Event, None, Segmented]:
    """Turn a count of frames into a report now and then."""
    last_time, last_frames, frames = time.monotonic(), 0, 0
    while True:
        try:
            frames = next(work)
        except StopIteration as end:
            yield FramesDone(frames - last_frames)
            return end.value  # type: ignore[no-any-return]
        if time.monotonic() - last_time >= REPORT_SECONDS:
            yield FramesDone(frames - last_frames)
            last_time, last_frames = time.monotonic(), frames


def _upload(masks: Path, location: str, any_done: bool) -> ShardWritten:
    if not any_done:
        return ShardWritten(None, 0, "")
    content = masks.read_bytes()
    storage.write(location, content)
    return ShardWritten(location, len(content), storage.sha256(content))
