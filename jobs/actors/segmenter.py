"""The Ray shell over `segment`: one process that holds a model and works through shards."""

import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path

import ray
import torch
from ray.exceptions import ActorUnavailableError, RayError

from jobs.actors.actor_settings import ActorSettings
from jobs.actors.clips_at_once import clips_at_once
from jobs.actors.compile_cache import compiled_on_this_machine
from jobs.actors.division import NodeShare
from jobs.actors.handles import MailboxHandle
from jobs.actors.mailbox import ExitReason, Message
from jobs.actors.metrics_export import MetricsExport
from jobs.actors.shard_file import ShardFile
from jobs.actors.shared_time import SharedTime
from jobs.actors.videos_at_once import VideosAtOnce
from jobs.actors.watchdog import Watchdog, WatchedVideo
from jobs.concurrency.prefetch import Prefetch
from jobs.concurrency.threads import inheriting_thread
from jobs.errors import CredentialsError, PromptError, RefusedError, StorageError, VideoError
from jobs.inputs.listed_video import require_as_listed
from jobs.io import scratch, storage
from jobs.io.storage_policy import storage_policy
from jobs.plugins import load_plugins
from jobs.records import (
    NO_MASKS,
    Entry,
    Event,
    FramesDone,
    ShardHandedOver,
    VideoFailed,
    VideoFinished,
    VideoOpened,
    VideoStarted,
)
from jobs.segmenting.device_decoding import decoding_for
from jobs.segmenting.failure_row import quarantined_row
from jobs.segmenting.segment_video import Segmented, segment_video
from jobs.segmenting.video_progress import VideoProgress
from jobs.segmenting.work_item import Shard, WorkItem
from jobs.telemetry.stages import Timed, in_stage
from stcn_core.acceleration.inference import for_inference
from stcn_core.acceleration.shared_network import ClipNetwork, SharedNetwork
from stcn_core.device import find_device, is_lost
from stcn_core.models.checkpoint import load_model
from stcn_core.models.network import Network

POST_SECONDS = 3.0  # for a message to arrive
RECONNECT_SECONDS = 1.0  # between two tries to wait for the order to stop
EMPTY_HANDOVER = ShardHandedOver("", (), NO_MASKS)
VIDEO_STORAGE_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, StorageError)


class Segmenter:
    """Loads a model once, then segments whatever shards it is given. The driver makes it a Ray actor."""

    def __init__(self, name: str, mailbox: MailboxHandle) -> None:
        self._name, self._mailbox = name, mailbox
        self._shard: ShardFile | None = None
        self._time = SharedTime()
        self._shared: SharedNetwork | None = None

    def node(self) -> str:
        """The id of the node it is on."""
        return str(ray.get_runtime_context().get_node_id())

    def load(self, model: bytes, settings: ActorSettings, *, share: NodeShare) -> None:
        """Load the model. share: what it is given on its node."""
        self._settings = settings
        print(
            f"actor {self._name} of run {settings.run}", flush=True
        )  # `stcn status --json` has the name: find the log
        MetricsExport(run=settings.run, role="actor").start()
        scratch.clear_abandoned()
        load_plugins()
        torch.set_num_threads(share.threads)
        precision = None if settings.precision == "auto" else getattr(torch, settings.precision)
        device = find_device(settings.device)
        self._clips = clips_at_once(settings.clips_per_actor, device, share)
        self._decoding = decoding_for(device, settings.decoder, files=self._clips)
        self._use(for_inference(load_model(model, device=str(device), similarity=settings.similarity), precision))
        self._watchdog = Watchdog(replace(settings.allowance, memory_gib=share.memory_gib), self._post)
        with storage_policy(settings.storage):
            inheriting_thread(self._hand_over_on_stop).start()

    def compile(self) -> None:
        """Compile the network, or find it compiled on this machine's disk. No limit of a video's time counts yet."""
        self._use(compiled_on_this_machine(self._model))

    def _use(self, model: Network) -> None:
        """Segment with this model, whose calls the videos that are under way at once share."""
        if self._shared:
            self._shared.close()
        self._model = model
        self._shared = SharedNetwork(model, at_once=self._clips) if self._clips > 1 else None

    def run(self, shard: Shard, attempt: str) -> Iterator[Event]:
        """Segment a shard's videos, one after another or several at once, and write their masks into `attempt`.

        A video's own error becomes its row. Anything else is raised: it is the shard's.
        """
        with storage_policy(self._settings.storage), scratch.temporary() as folder:
            name = f"{shard.shard_id}.parquet"
            self._shard = ShardFile(Path(folder) / name, attempt, [item.work_id for item in shard.items])
            if self._shared and len(shard.items) > 1:
                yield from VideosAtOnce(
                    self._shared, shard.items, self._fetch_and_segment, at_once=self._clips
                ).events()
            else:
                with Prefetch((_FetchedVideo(item) for item in shard.items), most=1) as fetched:
                    for video in Timed("wait_video", fetched):
                        yield from self._segment(video, self._model)
            yield self._shard.upload()[1]

    def _fetch_and_segment(self, item: WorkItem, network: ClipNetwork) -> Generator[Event, None, None]:
        yield from self._segment(_FetchedVideo(item), network)

    def _segment(self, fetched: "_FetchedVideo", model: Network) -> Generator[Event, None, None]:
        work_id, shard = fetched.item.work_id, self._shard
        assert shard is not None
        with fetched.folder, self._time.share() as seconds:
            yield VideoStarted(work_id)
            try:
                with self._watching(work_id, model) as watched:
                    video, prompts = fetched.paths()
                    work = segment_video(fetched.item, video, prompts, model=model, decoding=self._decoding)
                    row, tables = yield from self._reported(work, watched)
            except (VideoError, RefusedError) as error:
                row, tables = quarantined_row(fetched.item, error), []
            except Exception as error:
                # Whatever a video's bytes bring about is that video's failure, never the job's.
                self._end_if_lost(error)
                yield VideoFailed(quarantined_row(fetched.item, error, seconds=seconds()))
                shard.skip(work_id)
                return
            row = replace(row, seconds=seconds())
        if shard.add(row, tables):
            yield VideoFinished(row)

    def _end_if_lost(self, error: Exception) -> None:
        """End the process if its GPU would fail all videos to come. Which one of several is to blame is not known."""
        if is_lost(next(self._model.parameters()).device):
            self._watchdog.end(ExitReason("Crash", f"its GPU failed, for this process for good: {error}"))

    def _watching(self, work_id: str, model: Network) -> AbstractContextManager[WatchedVideo]:
        if not isinstance(model, ClipNetwork):
            return self._watchdog.watching(work_id)
        seat = model.seat
        return self._watchdog.watching(work_id, clock=seat.own_seconds, company=lambda: seat.company)

    def _reported(
        self, work: Generator[VideoProgress, None, Segmented], watched: WatchedVideo
    ) -> Generator[Event, None, Segmented]:
        """Turn the steps of all passes into a report now and then."""
        work_id = watched.work_id
        last_time, last_frames, again, now = time.monotonic(), 0, 0, VideoProgress(0)
        while True:
            try:
                now = next(work)
            except StopIteration as end:
                yield FramesDone(now.frames - last_frames, again, now.phase, work_id)
                return end.value  # type: ignore[no-any-return]
            watched.goes_on()
            if now.length is not None:
                yield VideoOpened(now.length, work_id)
            again += now.is_again
            if time.monotonic() - last_time >= self._settings.report_seconds:
                yield FramesDone(now.frames - last_frames, again, now.phase, work_id)
                last_time, last_frames, again = time.monotonic(), now.frames, 0

    def _hand_over_on_stop(self) -> None:
        """In a thread: upload the finished videos of the shard once told to stop. The video under way is dropped."""
        with suppress(RayError):  # the mailbox is gone: there is no driver to hand anything to
            if not self._wait_for_stop():
                return
            if shard := self._shard:
                self._post(ShardHandedOver(shard.attempt, *shard.upload()))
            else:
                self._post(EMPTY_HANDOVER)

    def _wait_for_stop(self) -> bool:
        while True:
            try:
                return ray.get(self._mailbox.wait_for_stop.remote(self._name))
            except ActorUnavailableError:  # it is there, but the connection to its node broke
                time.sleep(RECONNECT_SECONDS)

    def _post(self, message: Message) -> None:
        with suppress(RayError):  # the mailbox is gone, or too slow: the driver sees the process end all the same
            ray.get(self._mailbox.post.remote(self._name, message), timeout=POST_SECONDS)


class _FetchedVideo:
    """A video and its prompts in a folder of this machine; made while the video before is segmented."""

    def __init__(self, item: WorkItem) -> None:
        self.item = item
        self.folder = scratch.temporary()
        self._error: Exception | None = None
        try:
            with in_stage("fetch"):
                self._fetch(item.entry, Path(self.folder.name))
        except CredentialsError:
            raise
        except (VideoError, *VIDEO_STORAGE_ERRORS) as error:
            self._error = error

    def _fetch(self, entry: Entry, folder: Path) -> None:
        self._video = _download(entry.video, folder / "video", VideoError)
        require_as_listed(entry)  # after the download: what was copied is then no older than what is compared
        self._prompts = _download(entry.prompts, folder / "prompts", PromptError, with_folders=True)

    def paths(self) -> tuple[Path, Path]:
        """The video's and the prompts'. Raises what went wrong."""
        if self._error:
            raise self._error
        return self._video, self._prompts


def _download(location: str, folder: Path, error: type[VideoError], *, with_folders: bool = False) -> Path:
    try:
        return storage.download(location, folder, with_folders)
    except FileNotFoundError as missing:
        raise error(str(missing)) from missing
