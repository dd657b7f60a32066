"""The masks of an output or a selection as PyTorch data sets, which decode the frames from the videos."""

import copy
import heapq
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from jobs.dataset.frame_reader import FrameReader
from jobs.dataset.mask_index import read_index
from jobs.dataset.mask_rows import MaskRows
from jobs.dataset.sample import Sample, to_sample
from jobs.dataset.source_video import SourceVideo
from jobs.errors import UserError, VideoError
from jobs.io import storage
from jobs.planning.run_record import RunConfigs, done_rows

Transform = Callable[[Sample], Any]


class MaskDataset(Dataset[Any]):
    """A map-style data set with an item per frame that has rows: video by video, frames in order.

    Items can be read in any order. An item ahead in the latest video takes the decoding of the frames up to it; any
    other item takes the decoding of its video from the beginning. `stream` is the fast way to read all items.
    """

    def __init__(
        self,
        location: str,
        videos: Collection[str] | None = None,
        short_side: int | None = None,
        *,
        keep_empty: bool = False,
        transform: Transform | None = None,
    ) -> None:
        """Read the index of frames, and no masks.

        location: a folder or URL of an output or a selection. videos: ids of the videos to include; None: all that are
        done. short_side: pixels; frames, masks and boxes are scaled down to it; None: never. keep_empty: include
        objects that are not visible, with an empty mask; by default, a frame without visible objects is an item without
        objects. transform: function applied to each sample. Raises UserError.
        """
        if short_side is not None and short_side < 1:
            raise UserError(f"short_side {short_side}; legal: 1 or more, or None: never scaled down")
        location = storage.absolute(location)
        configs = RunConfigs(location)
        done = done_rows(location, videos)
        self._index = read_index(location, done if videos is None else set(videos))
        rows = [done[video_id] for video_id in self._index.video_ids]
        self._sources = [SourceVideo.of(row, configs.of(row)) for row in rows]
        self._short_side = short_side
        self._keep_empty, self._transform = keep_empty, transform
        self._open_readers()

    @property
    def video_ids(self) -> list[str]:
        """The ids of the videos with frames in the data set, in the order of their items."""
        return list(self._index.video_ids)

    def indices(self, video: int) -> range:
        """Return the indices of a video's items. video: its position in `video_ids`."""
        return self._index.frames_of(video)

    def __len__(self) -> int:
        return len(self._index)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Any:
        """Read one item. Raises VideoError, with the video's id, for a lost or changed video; UserError for damage."""
        index = range(len(self))[index]
        video = self._index.video_of(index)
        try:
            sample = self._sample(index, video)
        except VideoError as error:
            raise VideoError(
                f"video {self._index.video_ids[video]!r}, {self._sources[video].location!r}: {error}"
            ) from error
        return self._transform(sample) if self._transform else sample

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for another process or a copy, without open files."""
        state = self.__dict__.copy()
        del state["_frames"], state["_rows"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open_readers()

    def stream(
        self,
        shuffle: bool = True,
        seed: int = 0,
        window: int = 0,
        *,
        rank: int | None = None,
        world_size: int | None = None,
        skip_errors: bool = False,
    ) -> "MaskStream":
        """Return the items as a stream that decodes each video once, for a `DataLoader` with any number of workers.

        shuffle: put the videos in a random order that depends on `seed` and the epoch only. window: size of each
        worker's shuffle buffer, in items, so that batches are not made of consecutive frames; 0: none. rank,
        world_size: the share of the videos to read; by default that of torch.distributed, if it is initialized.
        skip_errors: warn about videos that cannot be read, and skip them. Raises UserError for illegal arguments.
        """
        if rank is None and world_size is None:
            is_distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
            rank = torch.distributed.get_rank() if is_distributed else 0
            world_size = torch.distributed.get_world_size() if is_distributed else 1
        if rank is None or world_size is None or not 0 <= rank < world_size:
            raise UserError(
                f"rank {rank} of world_size {world_size}; legal: both or neither, with 0 <= rank < world_size"
            )
        if window < 0:
            raise UserError(f"window {window}; legal: 0 or more")
        return MaskStream(self, shuffle, seed, window=window, rank=rank, world_size=world_size, skip_errors=skip_errors)

    def _open_readers(self) -> None:
        self._frames = FrameReader(self._short_side)
        self._rows = MaskRows(self._index)

    def _sample(self, index: int, video: int) -> Sample:
        masks = self._rows.masks(index)
        frame_index, items = self._index.frame_index, self._index.frames_of(video)
        wanted = frame_index[items.start : items.stop]
        frame = self._frames.read(self._sources[video], int(frame_index[index]), wanted)
        first = masks.rows[0]
        if (frame.height, frame.width) != (first["height"], first["width"]):
            sizes = f"{frame.width}x{frame.height}, its masks {first['width']}x{first['height']}"
            raise VideoError(f"its frames are {sizes}: it has changed since it was segmented")
        return to_sample(frame, masks, self._keep_empty)


class MaskStream(IterableDataset[Any]):
    """An iterable data set, made by `MaskDataset.stream`. Each video goes to one worker; surplus workers are idle."""

    def __init__(
        self,
        dataset: MaskDataset,
        shuffle: bool,
        seed: int,
        *,
        window: int,
        rank: int,
        world_size: int,
        skip_errors: bool,
    ) -> None:
        self._dataset, self._shuffle, self._seed, self._window = dataset, shuffle, seed, window
        self._rank, self._world_size, self._skip_errors = rank, world_size, skip_errors
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # persistent workers see it change

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, on which the order depends. Call it before each epoch, with one value on all ranks."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        num_workers, worker_id = (worker.num_workers, worker.id) if worker else (1, 0)
        rng = np.random.default_rng([self._seed, int(self._epoch)])
        videos = range(len(self._dataset.video_ids))
        order = rng.permutation(videos).tolist() if self._shuffle else list(videos)
        frames = {video: len(self._dataset.indices(video)) for video in order}
        of_rank = _share(order, frames, self._world_size, part=self._rank)
        of_worker = _share(of_rank, frames, num_workers, part=worker_id)
        return _shuffled(self._read(of_worker), self._window, rng)

    def _read(self, videos: Iterable[int]) -> Iterator[Any]:
        dataset = copy.copy(self._dataset)  # with readers of its own, so that the original's stay at their positions
        for video in videos:
            try:
                for index in dataset.indices(video):
                    yield dataset[index]
            except (VideoError, UserError) as error:
                if not self._skip_errors:
                    raise
                warnings.warn(f"skipped: {error}", stacklevel=2)


def collate(samples: list[Sample]) -> tuple[list[Tensor], list[dict[str, Any]]]:
    """Build a batch for torchvision's detection models: images, float32 (3, H, W) from 0 to 1, and their targets."""
    targets = [{name: value for name, value in sample.items() if name != "image"} for sample in samples]
    return [sample["image"].float() / 255 for sample in samples], targets


def _share(videos: list[int], frames: dict[int, int], parts: int, *, part: int) -> list[int]:
    """Return one part of the videos, in order. Each video goes to the part with the fewest frames so far.

    frames: number of frames of each video. parts: number of parts. part: position of the part to return.
    """
    loads = [(0, number) for number in range(parts)]
    share = []
    for video in videos:
        load, number = loads[0]
        heapq.heapreplace(loads, (load + frames[video], number))
        if number == part:
            share.append(video)
    return share


def _shuffled(samples: Iterator[Any], window: int, rng: np.random.Generator) -> Iterator[Any]:
    """Yield the samples through a shuffle buffer: each new sample replaces a random one, which is yielded.

    window: size of the buffer, in samples.
    """
    buffer: list[Any] = []
    for sample in samples:
        if len(buffer) < window:
            buffer.append(sample)
        elif window:
            position = int(rng.integers(window))
            yield buffer[position]
            buffer[position] = sample
        else:
            yield sample
    for position in rng.permutation(len(buffer)):
        yield buffer[position]
