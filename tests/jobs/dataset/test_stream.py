"""A stream gives each frame once, to one worker of one rank, and decodes each video once."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from jobs.dataset.mask_dataset import MaskDataset
from jobs.errors import UserError
from jobs.inputs.video import Video
from tests.jobs.dataset.samples import ALL, ORDER, all_of, check_all, place_of

pytestmark = pytest.mark.heavy


def test_ranks_and_workers_share_the_frames_each_once(output: str) -> None:
    dataset = MaskDataset(output)
    shares = []
    for rank in range(2):
        stream = dataset.stream(seed=3, window=5, rank=rank, world_size=2)
        shares.append(all_of(stream, num_workers=2, multiprocessing_context="fork"))
    check_all([*shares[0], *shares[1]], output)
    assert {s["video_id"] for s in shares[0]}.isdisjoint({s["video_id"] for s in shares[1]})
    assert max(map(len, shares)) - min(map(len, shares)) <= max(ALL.values())


def test_more_workers_than_videos_have_nothing_to_do(output: str) -> None:
    stream = MaskDataset(output, videos=["a"]).stream()
    assert len(all_of(stream, num_workers=2, multiprocessing_context="fork")) == ALL["a"]


def test_rank_and_world_size_come_from_torch_distributed(output: str, tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        assert len(all_of(MaskDataset(output).stream())) == len(ORDER)
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    "options",
    [{"rank": 2, "world_size": 2}, {"rank": 1}, {"world_size": 2}, {"rank": -1, "world_size": 2}, {"window": -1}],
)
def test_invalid_rank_or_world_size_raises(options: dict[str, int], output: str) -> None:
    """A rank alone would else read what all ranks read."""
    with pytest.raises(UserError, match="legal: "):
        MaskDataset(output).stream(**options)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="short_side 0; legal: 1 or more"):
        MaskDataset(output, short_side=0)


def test_a_stream_decodes_each_video_once_and_in_order(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    enter = Video.__enter__

    def counted(self: Video) -> Video:
        opened.append(self.path.stem)
        return enter(self)

    monkeypatch.setattr(Video, "__enter__", counted)
    places = [place_of(sample) for sample in MaskDataset(output).stream()]
    assert sorted(opened) == sorted(ALL)
    for video_id in ALL:
        assert [index for name, index in places if name == video_id] == list(range(ALL[video_id]))


def test_order_follows_from_seed_and_epoch(output: str) -> None:
    def order(seed: int, epoch: int, **options: Any) -> list[tuple[str, int]]:
        stream = MaskDataset(output).stream(seed=seed, **options)
        stream.set_epoch(epoch)
        return [place_of(sample) for sample in stream]

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(seed, epoch)) for seed, epoch in ((1, 0), (1, 1), (2, 0), (2, 1))}) > 1
    assert order(1, 0, shuffle=False) == ORDER
    mixed = order(1, 0, window=20)
    assert sorted(mixed) == ORDER
    neighbours = sum(one[0] == other[0] for one, other in itertools.pairwise(mixed))
    assert neighbours < len(mixed) / 2


def test_persistent_workers_learn_the_next_epoch(output: str) -> None:
    stream = MaskDataset(output).stream()
    loader = DataLoader(
        stream, batch_size=None, num_workers=1, persistent_workers=True, multiprocessing_context="spawn"
    )
    orders = []
    for epoch in (0, 1, 2, 0):
        stream.set_epoch(epoch)
        orders.append([place_of(sample) for sample in loader])
    assert orders[0] == orders[3]
    assert len(set(map(tuple, orders))) > 1
