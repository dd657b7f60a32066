"""Make the pictures of MODEL.md: masks of `stcn-mini` on its best and its worst fixed clips.

python infra/model/example_pictures.py docs/model
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from jobs.outputs.palette import blend
from jobs.training.drawn_scores import CLIPS, evaluation_clip, score_clip
from stcn_core import PropagationConfig, for_inference, load_model, propagate

SHOWN, FRAMES = 3, (0, 12, 24, 46)  # clips in each picture, and the frames of a clip
SIZE = 240, 135  # pixels


def main(model_name: str, folder: Path) -> None:
    """Write good.webp and bad.webp: a row for each clip, whose first frame shows the prompt."""
    model = for_inference(load_model(model_name))
    config = PropagationConfig.for_model(model, short_side=None)
    rows = []
    for number in range(CLIPS):
        clip = evaluation_clip(number)
        labels = [result.labels for result in propagate(model, clip.frames, {0: clip.labels[0]}, config=config)]
        score = np.mean([values[2:] for values in score_clip(number, labels, clip.labels)])
        pictures = [blend(clip.frames[index], labels[index]) for index in FRAMES]
        resized = [np.asarray(Image.fromarray(picture).resize(SIZE, Image.Resampling.LANCZOS)) for picture in pictures]
        rows.append((float(score), number, np.concatenate(resized, 1)))
    rows.sort(key=lambda row: -row[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, shown in (("good", rows[:SHOWN]), ("bad", rows[-SHOWN:])):
        print(name, *(f"clip {number}: J&F {score:.2f}" for score, number, _ in shown), sep="  ")
        Image.fromarray(np.concatenate([row for _, _, row in shown])).save(folder / f"{name}.webp", quality=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="stcn-mini")
    arguments = parser.parse_args()
    main(arguments.model, arguments.folder)
