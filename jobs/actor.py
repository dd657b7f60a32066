"""The Ray shell over `segment`: one process that holds a model and works through shards."""

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import ray
import torch

from jobs import storage, store
from jobs.errors import PromptError, VideoError
from jobs.records import Event, FramesDone, Shard, ShardWritten, VideoFinished, VideoRow, VideoStarted, WorkItem
from jobs.segment import Segmented, failed_row, segment_video
from stcn_core.allocator import keep_freed_memory
from stcn_core.checkpoint import load_model
from stcn_core.config import PropagationConfig
from stcn_core.inference import for_inference

REPORT_SECONDS = 0.5  # between reports of frames done


class Segmenter:
    """Loads a model once, then segments whatever shards it is given. The driver makes it a Ray actor."""

    def __init__(self, model: bytes, device: str, threads: int, config: PropagationConfig) -> None:
        torch.set_num_threads(threads)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        keep_freed_memory()
        self._model = for_inference(load_model(model, device))
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
            with store.MaskWriter(masks) as writer:
                for item in shard.items:
                    yield VideoStarted(item.work_id)
                    with TemporaryDirectory(prefix="stcn-") as downloads:
                        row, tables = yield from self._segment(item, Path(downloads))
                    for table in tables:
                        writer.add(table)
                    rows.append(row)
                    yield VideoFinished(row)
            yield _upload(masks, storage.join(attempt, masks.name), any(row.status == "done" for row in rows))

    def _segment(self, item: WorkItem, downloads: Path) -> Generator[Event, None, Segmented]:
        started = time.monotonic()
        try:
            video = _fetched(item.entry.video, downloads / "video", VideoError)
            prompts = _fetched(item.entry.prompts, downloads / "prompts", PromptError)
            return (yield from _reported(segment_video(item, video, prompts, self._model, self._config)))
        except Exception as error:
            # Whatever a video's bytes bring about is that video's failure, never the job's.
            return failed_row(item, error, seconds=time.monotonic() - started), []


def _fetched(location: str, folder: Path, error: type[VideoError]) -> Path:
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
