"""Processes share a data set without sharing its open files."""

import gc
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from jobs.dataset.mask_dataset import MaskDataset
from jobs.dataset.sample import Sample
from jobs.inputs.videos.video import Video
from jobs.io import storage
from tests.jobs.dataset.samples import ALL, ORDER, all_of, check_all, place_of
from tests.jobs.drawn_output import write_output

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("start", ["fork", "forkserver"])
def test_workers_give_the_items_of_a_single_process(start: str, output: str) -> None:
    """Also while this process has a video open: a decoder that a fork copies has lost its threads."""
    dataset = MaskDataset(output)
    first = dataset[2]
    assert [place_of(s) for s in all_of(dataset, num_workers=2, multiprocessing_context=start)] == ORDER
    samples = all_of(dataset.stream(), num_workers=2, multiprocessing_context=start)
    check_all(samples, output)
    assert place_of(dataset[3]) == (first["video_id"], 3)


def test_forked_worker_does_not_free_the_parents_decoders(output: str) -> None:
    """Not even by garbage collection, which would wait for a decoder's threads, and a fork does not copy threads."""

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


def test_deleted_dataset_closes_its_video(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_pickled_dataset_reads_without_the_open_files(output: str) -> None:
    dataset = MaskDataset(output)
    assert place_of(dataset[5]) == ORDER[5]
    assert place_of(pickle.loads(pickle.dumps(dataset))[5]) == ORDER[5]


@pytest.mark.parametrize(
    ("start", "parts"), [("fork", "(dataset, dataset.stream(window=3))"), ("forkserver", "(dataset,)")]
)
def test_training_from_s3_leaves_no_copies_of_videos(
    start: str, parts: str, output: str, archive: Path, bucket: str, tmp_path: Path
) -> None:
    """Training runs in a process of its own; its workers end without Python's exit handlers, some in mid-video."""
    for path in (archive / "videos").iterdir():
        storage.write(f"{bucket}/videos/{path.name}", path.read_bytes())
    write_output(archive, f"{bucket}/out", bucket)
    script = f"""
import pickle, sys, tempfile
from pathlib import Path
from torch.utils.data import DataLoader
from jobs.dataset.mask_dataset import MaskDataset
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
    assert left <= 1  # the video that the process itself has open
