"""The masks of an output, or of a selection of it, as a torch data set that decodes frames from their videos."""

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
from jobs.dataset.sample import Sample, to_sample
from jobs.errors import UserError, VideoError
from jobs.io import storage
from jobs.outputs.mask_index import MaskRows, read_index
from jobs.planning.run_record import read_config, read_video_rows

Transform = Callable[[Sample], Any]


class MaskDataset(Dataset[Any]):
    """One item for each frame that has rows, video by video, frames in order.

    Any item can be read; one that lies ahead in the video that was read last takes the decoding up to it, any other
    one its video from the beginning. `stream` is the fast way through all of them.
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
        """Reads which frames there are, and no masks.

        location: an output or a selection, a folder or a URL. videos: ids of those that are wanted; None: all that are
        done. short_side: frames, masks and boxes are scaled down to it; None: never. keep_empty: objects that are not
        visible have a mask, too; by default a frame with none is one without objects. transform: what is made of an
        item. Raises UserError.
        """
        if short_side is not None and short_side < 1:
            raise UserError(f"short_side {short_side}; legal: 1 or more, or None: never scaled down")
        location = storage.absolute(location)
        config = read_config(location)
        done = {row.video_id: row.video for row in read_video_rows(location) if row.status == "done"}
        if missing := sorted(set(videos or ()) - set(done)):
            raise UserError(f"{location} has no masks of the videos {missing[:3]}; legal: videos that are done")
        self._index = read_index(location, done if videos is None else set(videos))
        self._locations = [done[video_id] for video_id in self._index.video_ids]
        self._config, self._short_side = config, short_side
        self._keep_empty, self._transform = keep_empty, transform
        self._open()

    @property
    def video_ids(self) -> list[str]:
        """Of the videos that have frames here, in order."""
        return list(self._index.video_ids)

    def places(self, video: int) -> range:
        """Of the items of a video, by its place in `video_ids`."""
        return self._index.frames_of(video)

    def __len__(self) -> int:
        return len(self._index)

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> Any:
        """One item. Raises VideoError, with the video's id, if it is gone or changed; UserError for damaged masks."""
        place = range(len(self))[place]
        video = self._index.video_of(place)
        try:
            sample = self._sample(place, video)
        except VideoError as error:
            raise VideoError(f"video {self._index.video_ids[video]!r}, {self._locations[video]!r}: {error}") from error
        return self._transform(sample) if self._transform else sample

    def __getstate__(self) -> dict[str, Any]:
        """For another process, or a copy: without what is open."""
        state = self.__dict__.copy()
        del state["_frames"], state["_rows"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

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
        """The items as they are decoded, each video once: for a `DataLoader` with any number of workers.

        shuffle: videos come in an order that follows from `seed` and the epoch. window: each worker holds so many items
        back and gives a random one of them, so that a batch is not of frames that follow each other. rank, world_size:
        which share of the videos this is; by default torch.distributed says it, if it has begun. skip_errors: a video
        that cannot be read is a warning, not an error.
        """
        if rank is None and world_size is None:
            has_begun = torch.distributed.is_available() and torch.distributed.is_initialized()
            rank = torch.distributed.get_rank() if has_begun else 0
            world_size = torch.distributed.get_world_size() if has_begun else 1
        if rank is None or world_size is None or not 0 <= rank < world_size:
            raise UserError(
                f"rank {rank} of world_size {world_size}; legal: both or neither, and ranks from 0 up to it"
            )
        if window < 0:
            raise UserError(f"window {window}; legal: 0 or more")
        return MaskStream(self, shuffle, seed, window=window, rank=rank, world_size=world_size, skip_errors=skip_errors)

    def _open(self) -> None:
        self._frames = FrameReader(self._config, self._short_side)
        self._rows = MaskRows(self._index)

    def _sample(self, place: int, video: int) -> Sample:
        masks = self._rows.masks(place)
        index, frames = int(self._index.frame_index[place]), self._index.frames_of(video)
        frame = self._frames.read(self._locations[video], index, self._index.frame_index[frames.start : frames.stop])
        first = masks.rows[0]
        if (frame.height, frame.width) != (first["height"], first["width"]):
            sizes = f"{frame.width}x{frame.height}, its masks {first['width']}x{first['height']}"
            raise VideoError(f"its frames are {sizes}: it has changed since it was segmented")
        return to_sample(frame, masks, self._keep_empty)


class MaskStream(IterableDataset[Any]):
    """What `MaskDataset.stream` gives. A video is one worker's: more workers than videos have nothing to do."""

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
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()  # workers that go on see it change

    def set_epoch(self, epoch: int) -> None:
        """Before each epoch, for another order; the same one on every rank."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        workers, own = (worker.num_workers, worker.id) if worker else (1, 0)
        rng = np.random.default_rng([self._seed, int(self._epoch)])
        videos = range(len(self._dataset.video_ids))
        order = rng.permutation(videos).tolist() if self._shuffle else list(videos)
        frames = {video: len(self._dataset.places(video)) for video in order}
        videos_here = _share(_share(order, frames, self._world_size, part=self._rank), frames, workers, part=own)
        return _mixed(self._read(videos_here), self._window, rng)

    def _read(self, videos: Iterable[int]) -> Iterator[Any]:
        dataset = copy.copy(self._dataset)  # videos that are open elsewhere stay so
        for video in videos:
            try:
                for place in dataset.places(video):
                    yield dataset[place]
            except (VideoError, UserError) as error:
                if not self._skip_errors:
                    raise
                warnings.warn(f"skipped: {error}", stacklevel=2)


def collate(samples: list[Sample]) -> tuple[list[Tensor], list[dict[str, Any]]]:
    """A batch as torchvision's detection models take it: images, float32 (3, H, W) from 0 to 1, and what is on each."""
    targets = [{name: value for name, value in sample.items() if name != "image"} for sample in samples]
    return [sample["image"].float() / 255 for sample in samples], targets


def _share(videos: list[int], frames: dict[int, int], parts: int, *, part: int) -> list[int]:
    """One of so many parts, in order: each video goes where there are the fewest frames yet."""
    loads = [(0, number) for number in range(parts)]
    share = []
    for video in videos:
        load, number = loads[0]
        heapq.heapreplace(loads, (load + frames[video], number))
        if number == part:
            share.append(video)
    return share


def _mixed(samples: Iterator[Any], window: int, rng: np.random.Generator) -> Iterator[Any]:
    """The samples, each given when a later one takes its place among those that are held."""
    held: list[Any] = []
    for sample in samples:
        if len(held) < window:
            held.append(sample)
        elif window:
            place = int(rng.integers(window))
            yield held[place]
            held[place] = sample
        else:
            yield sample
    for place in rng.permutation(len(held)):
        yield held[place]
