"""J&F on 20 fixed synthetic clips, drawn from seeds that training never uses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.outputs.palette import blend
from stcn_core.config import PropagationConfig
from stcn_core.metrics import contour_accuracy, region_similarity
from stcn_core.models.network import Network
from stcn_core.propagation.propagate import propagate
from stcn_core.synthetic.clips import DrawnClip, draw_clip

FIRST_SEED = 2**41  # seeds of training clips are below 2**40
CLIPS, FRAMES, HEIGHT, WIDTH = 20, 48, 240, 427
OBJECTS = (1, 2, 3)  # of clips 0, 1, 2, and so on in turn
SAMPLES, SAMPLE_FRAMES = 3, 4  # clips, and frames of each, on the page of a run


@dataclass(frozen=True)
class DrawnScores:
    """J and F of each object of each clip, as rows of (clip, object, J, F).

    `model` scores the model, `copy` the first mask, copied to every frame.
    """

    model: NDArray[np.float64]  # objects, 4
    copy: NDArray[np.float64]  # objects, 4

    def summary(self) -> dict[str, float]:
        """Return the means over all objects of all clips, rounded to four digits."""
        j, f = self.model[:, 2:].mean(0)
        copy_j, copy_f = self.copy[:, 2:].mean(0)
        values = {"j": j, "f": f, "j_and_f": (j + f) / 2}
        values |= {"copy_j": copy_j, "copy_f": copy_f, "copy_j_and_f": (copy_j + copy_f) / 2}
        return {name: round(float(value), 4) for name, value in values.items()}


def evaluation_clip(number: int) -> DrawnClip:
    """Draw one of the fixed clips, 0 to 19: 48 frames at 240p with 1, 2 or 3 objects."""
    return draw_clip(FIRST_SEED + number, range(FRAMES), HEIGHT, width=WIDTH, objects=OBJECTS[number % len(OBJECTS)])


def evaluate_clips(model: Network, clips: int = CLIPS, **options: object) -> DrawnScores:
    """Propagate each clip's first mask and score every frame but the first and the last, as DAVIS does.

    options: fields of `PropagationConfig` that replace the model's own.
    """
    config = PropagationConfig.for_model(model, short_side=None, **options)
    model_rows: list[list[float]] = []
    copy_rows: list[list[float]] = []
    for number in range(clips):
        clip = evaluation_clip(number)
        labels = [result.labels for result in propagate(model, clip.frames, {0: clip.labels[0]}, config=config)]
        model_rows += score_clip(number, labels, clip.labels)
        copy_rows += score_clip(number, [clip.labels[0]] * FRAMES, clip.labels)
    return DrawnScores(np.array(model_rows), np.array(copy_rows))


def sample_pictures(model: Network) -> dict[str, NDArray[np.uint8]]:
    """Return pictures of a few clips by caption: rows of frames under the model's masks.

    The masks of the first frame are the true ones, since they prompt the model.
    """
    config = PropagationConfig.for_model(model, short_side=None)
    rows = {}
    for number in range(SAMPLES):
        clip = evaluation_clip(number)
        results = list(propagate(model, clip.frames, {0: clip.labels[0]}, config=config))
        indices = np.linspace(0, len(results) - 1, SAMPLE_FRAMES).astype(int).tolist()
        pictures = [blend(clip.frames[index], results[index].labels) for index in indices]
        rows[f"clip {number}, frames {', '.join(map(str, indices))}"] = np.concatenate(pictures, 1)
    return rows


def score_clip(number: int, labels: Sequence[NDArray[np.integer]], truth: NDArray[np.uint8]) -> list[list[float]]:
    """Return rows (clip, object, J, F), averaged over the frames between the first and the last."""
    rows = []
    for object_id in range(1, int(truth[0].max()) + 1):
        pairs = [(a == object_id, b == object_id) for a, b in zip(labels, truth, strict=True)][1:-1]
        j = float(np.mean([region_similarity(a, b) for a, b in pairs]))
        f = float(np.mean([contour_accuracy(a, b) for a, b in pairs]))
        rows.append([number, object_id, j, f])
    return rows
