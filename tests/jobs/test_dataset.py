"""The data set gives the masks of the output on the frames of its videos, each once, in any process."""

import gc
import itertools
import os
import pickle
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from jobs.dataset import MaskDataset, collate
from jobs.errors import UserError, VideoError
from jobs.inputs.video import Video
from jobs.io import storage
from jobs.outputs import store
from jobs.outputs.label_maps import label_maps
from jobs.outputs.stored_masks import masks_by_video
from jobs.records import VideoRow
from jobs.sample import Sample
from tests.jobs.drawn_output import FRAMES, mask_rows, true_labels, write_masks, write_output, write_record

ALL = {**FRAMES, "images": FRAMES["a"]}
ORDER = [(video_id, index) for video_id in sorted(ALL) for index in range(ALL[video_id])]


@pytest.fixture(scope="module")
def output(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of true masks, with the videos where the archive has them."""
    folder = tmp_path_factory.mktemp("drawn-output")
    (folder / "videos").symlink_to(archive / "videos")
    write_output(archive, f"{folder}/out", str(folder))
    return f"{folder}/out"


def place_of(sample: Sample) -> tuple[str, int]:
    return sample["video_id"], sample["frame_index"]


def labels_of(sample: Sample) -> np.ndarray:
    labels = torch.zeros(sample["image"].shape[1:], dtype=torch.int32)
    for object_id, mask in zip(sample["ids"].tolist(), sample["masks"], strict=True):
        labels[mask] = object_id
    return labels.numpy()


def check_all(samples: list[Sample], output: str) -> None:
    """Every frame once, with its picture and the label map that `stcn export` writes of it."""
    assert Counter(map(place_of, samples)) == Counter(ORDER)
    found = {place_of(sample): sample for sample in samples}
    videos = {row.video_id: row.video for row in store.read_videos(f"{output}/{store.VIDEOS_FILE}")}
    for masks in masks_by_video(output):
        maps = {index: labels for index, _, labels in label_maps(masks)}
        with Video(Path(videos[masks.video_id])) as video:
            for frame in video:
                sample = found[masks.video_id, frame.index]
                assert np.array_equal(sample["image"].permute(1, 2, 0).numpy(), frame.image)
                assert np.array_equal(labels_of(sample), maps[frame.index])


def all_of(dataset: "Dataset[Any]", **options: Any) -> list[Sample]:
    loader = DataLoader(
        dataset, batch_size=4, collate_fn=list, timeout=120 if options.get("num_workers") else 0, **options
    )
    return [sample for batch in loader for sample in batch]


def test_items_are_the_frames_in_order_with_the_masks_that_are_exported(output: str) -> None:
    dataset = MaskDataset(output)
    assert len(dataset) == len(ORDER)
    samples = list(dataset)
    assert [place_of(sample) for sample in samples] == ORDER
    check_all(samples, output)
    assert place_of(dataset[-1]) == ORDER[-1]
    with pytest.raises(IndexError):
        dataset[len(ORDER)]


def test_any_order_gives_the_same_items(output: str) -> None:
    """Forward in the open video, back in it, and to others."""
    dataset, whole = MaskDataset(output), list(MaskDataset(output))
    for place in [3, 7, 7, 2, 40, 41, 45, 0, 44, *np.random.default_rng(0).permutation(len(whole)).tolist()]:
        assert place_of(dataset[place]) == ORDER[place]
        assert torch.equal(dataset[place]["image"], whole[place]["image"])
        assert torch.equal(dataset[place]["masks"], whole[place]["masks"])


def test_an_item_says_what_it_is_of(output: str) -> None:
    sample = MaskDataset(output)[ORDER.index(("e", 3))]
    n = len(sample["ids"])
    assert {name: (value.dtype, tuple(value.shape)) for name, value in sample.items() if torch.is_tensor(value)} == {
        "image": (torch.uint8, (3, 48, 64)), "masks": (torch.bool, (n, 48, 64)), "boxes": (torch.float32, (n, 4)),
        "labels": (torch.int64, (n,)), "ids": (torch.int64, (n,)), "scores": (torch.float32, (n,)),
    }  # fmt: skip
    assert sample["names"] == [f"object {i}" for i in sample["ids"].tolist()]
    assert sample["scores"].tolist() == [0.25] * n
    assert sample["pts_seconds"] == 3 / 24
    for (left, top, right, bottom), mask in zip(sample["boxes"].int().tolist(), sample["masks"], strict=True):
        assert mask[top:bottom, left:right].sum() == mask.sum() > 0
        assert all(side.any() for side in (mask[top], mask[bottom - 1], mask[:, left], mask[:, right - 1]))


def test_an_object_that_is_not_visible_has_no_mask_unless_asked_for(archive: Path, tmp_path: Path) -> None:
    """A frame without any stays, as one that shows nothing."""
    labels = true_labels(archive, "b")  # object 2 comes on frame 4
    labels[1][:] = 0
    write_masks(str(tmp_path), "b", mask_rows("b", labels))
    write_record(str(tmp_path), [VideoRow("b", "w", "done", f"{archive}/videos/b.mp4", "p")])
    dropped = [sample["ids"].tolist() for sample in MaskDataset(str(tmp_path))]
    assert dropped[:5] == [[1], [], [1], [1], [1, 2]]
    nothing = MaskDataset(str(tmp_path))[1]
    assert (nothing["masks"].shape, nothing["boxes"].shape) == ((0, 50, 70), (0, 4))
    kept = MaskDataset(str(tmp_path), keep_empty=True)[1]
    assert (kept["ids"].tolist(), kept["boxes"].tolist()) == ([1, 2], [[0.0] * 4] * 2)


def test_scaled_items_have_masks_where_the_scaled_frame_has_the_object(output: str) -> None:
    full, half = MaskDataset(output), MaskDataset(output, short_side=24)
    for place in (0, ORDER.index(("b", 5)), ORDER.index(("images", 2))):
        one, other = full[place], half[place]
        height, width = other["image"].shape[1:]
        assert min(height, width) == 24
        assert other["masks"].shape[1:] == (height, width)
        share = np.mean([labels_of(sample).astype(bool).mean() for sample in (one, other)])
        assert labels_of(one).astype(bool).mean() == pytest.approx(share, rel=0.1)
        assert (other["boxes"][:, 2:] <= torch.tensor([width, height])).all()


@pytest.mark.parametrize("start", ["fork", "forkserver"])
def test_workers_give_what_one_process_gives(start: str, output: str) -> None:
    """Also where this process has a video open: a decoder that is copied by a fork has lost its threads."""
    dataset = MaskDataset(output)
    first = dataset[2]
    assert [place_of(s) for s in all_of(dataset, num_workers=2, multiprocessing_context=start)] == ORDER
    samples = all_of(dataset.stream(), num_workers=2, multiprocessing_context=start)
    check_all(samples, output)
    assert place_of(dataset[3]) == (first["video_id"], 3)


def test_a_forked_worker_does_not_free_what_this_process_had_open(output: str) -> None:
    """Not even as garbage: it would wait for the threads of a decoder, which a fork does not copy."""

    def collected(sample: Sample) -> Sample:
        gc.collect()
        return sample

    gc.disable()
    try:
        left: dict[str, Any] = {"dataset": MaskDataset(output)}
        left["dataset"][2]
        left["self"] = left
        del left
        stream = MaskDataset(output, transform=collected, videos=["a"]).stream()
        assert len(all_of(stream, num_workers=1, multiprocessing_context="fork")) == ALL["a"]
    finally:
        gc.enable()


def test_a_dataset_that_is_dropped_has_nothing_open(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    leave = Video.__exit__

    def noted(self: Video, *error: Any) -> None:
        closed.append(self.path.stem)
        leave(self, *error)

    monkeypatch.setattr(Video, "__exit__", noted)
    gc.disable()
    try:
        dataset = MaskDataset(output)
        dataset[2]
        assert closed == []
        del dataset
        assert closed == ["a"]
    finally:
        gc.enable()


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


def test_torch_distributed_says_which_share_it_is(output: str, tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        assert len(all_of(MaskDataset(output).stream())) == len(ORDER)
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    "options",
    [{"rank": 2, "world_size": 2}, {"rank": 1}, {"world_size": 2}, {"rank": -1, "world_size": 2}, {"window": -1}],
)
def test_a_share_that_is_none_is_refused(options: dict[str, int], output: str) -> None:
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


def test_workers_that_go_on_hear_of_the_next_epoch(output: str) -> None:
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


def test_a_video_that_is_gone_or_changed_is_named_or_skipped(archive: Path, output: str, tmp_path: Path) -> None:
    changed = {"a": "gone.mp4", "b": "c.mp4", "e": "c.mp4", "c": "d.mp4"}  # gone, smaller, shorter, broken
    (tmp_path / "masks").symlink_to(f"{output}/masks")
    rows = [VideoRow(name, "w", "done", f"{archive}/videos/{changed.get(name, name)}", "p") for name in FRAMES]
    write_record(str(tmp_path), rows)
    dataset = MaskDataset(str(tmp_path))
    for name, reason in (("a", "does not exist"), ("b", "its frames are 48x64, its masks 70x50"), ("c", "cannot be")):
        with pytest.raises(VideoError, match=rf"^video '{name}', '.*/{changed[name]}': .*{reason}"):
            dataset[dataset.places(dataset.video_ids.index(name)).start]
    with pytest.raises(VideoError, match="video 'a'"):
        all_of(dataset, num_workers=1, multiprocessing_context="fork")
    with pytest.warns(UserWarning, match="skipped: video ") as warned:
        assert all_of(dataset.stream(skip_errors=True)) == []
    assert len(warned) == len(FRAMES)
    assert "images" not in dataset.video_ids  # it is no longer in the manifest


def test_a_video_that_is_shorter_now_is_named(archive: Path, tmp_path: Path) -> None:
    labels = true_labels(archive, "a")
    write_masks(str(tmp_path), "a", mask_rows("a", labels + labels))
    write_record(str(tmp_path), [VideoRow("a", "w", "done", f"{archive}/videos/a.mp4", "p")])
    dataset = MaskDataset(str(tmp_path))
    for place in (9, 9, 17):
        with pytest.raises(VideoError, match=f"video 'a', .*: ends before frame {place}: it has changed"):
            dataset[place]
    assert place_of(dataset[8]) == ("a", 8)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"max_pixels": 100}, "legal: up to 100"), ({"allow": ["/elsewhere"]}, "is not allowed; legal: under /elsewhere")],
)
def test_videos_are_opened_as_their_run_was_allowed_to(
    options: dict[str, Any], reason: str, archive: Path, output: str, tmp_path: Path
) -> None:
    (tmp_path / "masks").symlink_to(f"{output}/masks")
    write_record(str(tmp_path), [VideoRow("a", "w", "done", f"{archive}/videos/a.mp4", "p")], **options)
    with pytest.raises(VideoError, match=reason):
        MaskDataset(str(tmp_path))[0]


def test_a_damaged_mask_is_named(archive: Path, tmp_path: Path) -> None:
    rows = mask_rows("a", true_labels(archive, "a"))
    rows[4]["counts"] = "05"
    write_masks(str(tmp_path), "a", rows)
    write_record(str(tmp_path), [VideoRow("a", "w", "done", f"{archive}/videos/a.mp4", "p")])
    dataset = MaskDataset(str(tmp_path))
    assert len(dataset[3]["ids"]) == 1
    with pytest.raises(
        UserError, match=r"a.parquet is damaged: the mask of object 1 on frame 4 of video 'a' cannot be"
    ):
        dataset[4]


def test_some_videos_are_chosen(output: str) -> None:
    dataset = MaskDataset(output, videos={"images", "b"})
    assert dataset.video_ids == ["b", "images"]
    assert [place_of(sample) for sample in dataset] == [place for place in ORDER if place[0] in ("b", "images")]
    with pytest.raises(UserError, match=r"no masks of the videos \['d'\]"):
        MaskDataset(output, videos=["a", "d"])


def test_what_is_no_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        MaskDataset(str(tmp_path))


def test_transform_makes_the_item(output: str) -> None:
    assert MaskDataset(output, transform=place_of)[5] == ORDER[5]
    assert list(MaskDataset(output, transform=place_of).stream(shuffle=False)) == ORDER


def test_batches_are_what_detection_models_take(output: str) -> None:
    images, targets = next(iter(DataLoader(MaskDataset(output), batch_size=3, collate_fn=collate)))
    assert [tuple(image.shape) for image in images] == [(3, 48, 64)] * 3
    assert all(image.dtype == torch.float32 and 0.5 < image.max() <= 1 for image in images)
    assert all({"boxes", "labels", "masks"} <= set(target) and "image" not in target for target in targets)


def test_a_data_set_goes_to_another_process_without_what_is_open(output: str) -> None:
    dataset = MaskDataset(output)
    assert place_of(dataset[5]) == ORDER[5]
    assert place_of(pickle.loads(pickle.dumps(dataset))[5]) == ORDER[5]


@pytest.mark.parametrize(
    ("start", "parts"), [("fork", "(dataset, dataset.stream(window=3))"), ("forkserver", "(dataset,)")]
)
def test_videos_and_masks_in_s3_and_no_copy_is_left(
    start: str, parts: str, output: str, archive: Path, bucket: str, tmp_path: Path
) -> None:
    """A process of its own, as a training is; its workers end without Python's exit, and some amid a video."""
    for path in (archive / "videos").iterdir():
        storage.write(f"{bucket}/videos/{path.name}", path.read_bytes())
    write_output(archive, f"{bucket}/out", bucket)
    script = f"""
import pickle, sys, tempfile
from pathlib import Path
from torch.utils.data import DataLoader
from jobs.dataset import MaskDataset
if __name__ == "__main__":
    dataset = MaskDataset("{bucket}/out")
    first = dataset[0]
    found = []
    for part in {parts}:
        loader = DataLoader(part, 4, collate_fn=list, num_workers=2, multiprocessing_context="{start}", timeout=120)
        found.append([sample for batch in loader for sample in batch])
        next(iter(loader))
    left = len(list(Path(tempfile.gettempdir()).rglob("*.mp4")))
    with open(sys.argv[1], "wb") as file:
        pickle.dump((found, left), file)
"""
    (tmp_path / "train.py").write_text(script)
    command = [sys.executable, str(tmp_path / "train.py"), str(tmp_path / "found")]
    with tempfile.TemporaryDirectory(prefix="stcn-") as scratch:  # tmp_path is too long for the sockets of workers
        environment = {**os.environ, "TMPDIR": scratch, "PYTHONPATH": os.getcwd()}
        subprocess.run(command, check=True, env=environment, timeout=300)
        assert not list(Path(scratch).rglob("*.mp4"))
    found, left = pickle.loads((tmp_path / "found").read_bytes())
    for samples in found:
        check_all(samples, output)
    assert left <= 1  # what the process itself has open


def test_reading_takes_neither_ray_nor_networks() -> None:
    script = """
import sys
import jobs.dataset
assert not {"ray", "stcn_core.stcn", "stcn_core.network"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
