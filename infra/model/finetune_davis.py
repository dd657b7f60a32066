"""Fine-tune a model on the first half of a video, and score it on the second half before and after.

python infra/model/finetune_davis.py TREE VIDEO FOLDER

TREE holds JPEGImages/VIDEO and Annotations/VIDEO, with a mask for each frame
"""

import argparse
import csv
import shutil
from pathlib import Path
from statistics import fmean

from jobs.commands.evaluate import evaluate_output
from jobs.commands.train import train
from jobs.planning.config import SegmentConfig
from jobs.run.driver import run
from jobs.training.config import TrainingConfig
from jobs.watching.progress import NullReporter

KINDS = ("JPEGImages", "Annotations")


def cut_in_half(tree: Path, video: str, folder: Path) -> Path:
    """Write the first half as a tree, and the second half's truth, prompt and manifest. Returns the manifest's path."""
    images, masks = (sorted((tree / kind / video).iterdir()) for kind in KINDS)
    half = len(images) // 2
    for kind, files in zip(KINDS, (images, masks), strict=True):
        copy_files(files[:half], folder / "first" / kind / video)
    copy_files(masks[half:], folder / "truth" / video)
    copy_files(masks[half : half + 1], folder / "prompt")
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("video_id", "video", "prompts", "start"))
        rows.writerow((video, images[0].parent.absolute(), "prompt", half))
    return folder / "manifest.csv"


def copy_files(files: list[Path], folder: Path) -> None:
    """Copy files into a new folder."""
    folder.mkdir(parents=True)
    for file in files:
        shutil.copy(file, folder)


def score(model: str, manifest: Path, output: Path, short_side: int) -> float:
    """Segment the second half, and return its J&F."""
    run(SegmentConfig(manifest=str(manifest), output=str(output), model=model, short_side=short_side), NullReporter())
    return fmean(score.mean for score in evaluate_output(str(output), str(manifest.parent / "truth")).objects)


def main(tree: Path, video: str, folder: Path, init: str, steps: int, short_side: int) -> None:
    """Print the scores before and after fine-tuning."""
    manifest, tuned = cut_in_half(tree, video, folder), folder / "tuned.safetensors"
    before = score(init, manifest, folder / "before", short_side)
    config = TrainingConfig(
        output=str(tuned), config="finetune", init=[init], data=[str(folder / "first")], steps=steps, final_clips=0,
        evaluate_every=10**6,
    )  # fmt: skip
    train(config, print)
    after = score(str(tuned), manifest, folder / "after", short_side)
    print(f"{video}: J&F {before:.3f}, after {steps} steps {after:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("video")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--init", default="stcn-mini")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--short-side", type=int, default=240)
    main(**vars(parser.parse_args()))
