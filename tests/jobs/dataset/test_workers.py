"""Processes share a data set without sharing what it has open."""

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
from jobs.inputs.video import Video
from jobs.io import storage
from tests.jobs.dataset.samples import ALL, ORDER, all_of, check_all, place_of
from tests.jobs.drawn_output import write_output

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("start", ["fork", "forkserver"])
def test_workers_give_what_one_process_gives(start: str, output: str) -> None:
    """Also where this process has a video open: a decoder that is copied by a fork has lost its threads."""
    dataset = MaskDataset(output)
    first = dataset[2]
    assert [place_of(s) for s in all_of(dataset, num_workers=2, multiprocessing_context=start)] == ORDER
    samples = all_of(dataset.stream(), num_workers=2, multiprocessing_context=start)
    check_all(samples, output)
    assert place_of(dataset[3]) == (first["video_id"], 3)


def test_forked_worker_keeps_its_parents_files_open(output: str) -> None:
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


def test_dropped_dataset_leaves_no_open_files(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_pickled_dataset_carries_no_open_files(output: str) -> None:
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
    assert left <= 1  # what the process itself has open
