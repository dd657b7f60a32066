"""Make the figures of LABELS.md: segment clips with known masks, fit trust to some, and measure it on others.

A table of masks maps columns to values: j (true IoU), trust, score, stability, area_change, prompt_distance, area and
true_area in pixels, video_id, object_id, frame_index. No table holds prompts.
"""

import argparse
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.compute as pc
import torch

from jobs.commands.archive import DrawnVideo, draw_archive
from jobs.commands.evaluate import evaluate_output
from jobs.commands.select import select_output
from jobs.outputs.trust import SOFTENING
from jobs.planning.config import SegmentConfig
from jobs.planning.run_record import read_video_rows
from jobs.records import VideoRow
from jobs.run.driver import run
from jobs.scores.trust_curves import SIGNS, risk_coverage, spearman
from jobs.selections.criteria import Criteria
from jobs.watching.progress import NullReporter

CLIPS, FRAMES, SEEDS = 12, 48, {"fitted": 3000, "others": 5000}
SHARES = (0.75, 0.5, 0.25)  # of the masks, the most trusted ones
LOST_BELOW = 0.3  # J of a mask that is of something else
BINS = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 1)  # bounds of ranges of trust

Masks = Mapping[str, np.ndarray]


def segment(folder: Path, name: str, davis: Path | None) -> tuple[str, str]:
    """Segment clips at 240p; finish an output that is there. Returns the locations of the output and the truth.

    davis: a tree to segment in place of synthetic clips.
    """
    if davis:
        manifest, truth = davis, davis
    else:
        clips = [
            DrawnVideo(
                video_id=f"{i:02d}",
                seed=SEEDS[name] + i,
                frames=FRAMES,
                height=240,
                width=426,
                rate=Fraction(24),
                objects=1 + i % 3,
            )
            for i in range(CLIPS)
        ]
        truth = folder / name / "truth"
        manifest = folder / name / "manifest.csv" if truth.exists() else draw_archive(clips, folder / name)
    output = str(folder / name / "output")
    run(SegmentConfig(manifest=str(manifest), output=output, short_side=240, cycle_check=True), NullReporter())
    return output, str(truth)


def read_masks(output: str, truth: str, criteria: Criteria | None = None) -> Masks:
    """Return the masks that a selection keeps, with their true IoU."""
    with TemporaryDirectory() as folder:
        select_output(output, folder, criteria or Criteria())
        frames = evaluate_output(folder, truth).frames
    frames = frames.filter(pc.and_(pc.is_valid(frames["area"]), pc.invert(pc.fill_null(frames["is_prompt"], True))))
    return {name: frames[name].to_numpy() for name in frames.column_names}


def select_rows(masks: Masks, chosen: np.ndarray) -> Masks:
    """Return the chosen rows of a table. chosen: boolean, (rows,)."""
    return {name: values[chosen] for name, values in masks.items()}


def groups(masks: Masks, *names: str) -> dict[tuple[object, ...], Masks]:
    """Group rows by their values in the named columns."""
    keys = list(zip(*(masks[name].tolist() for name in names), strict=True))
    return {key: select_rows(masks, np.array([other == key for other in keys])) for key in sorted(set(keys))}


def fit(masks: Masks) -> list[float]:
    """Fit IoU by logistic regression: weights of 1, the log odds of stability, and the log of the distance."""
    shown = select_rows(masks, masks["area"] > 0)
    odds = np.log((shown["stability"] + SOFTENING) / (1 - shown["stability"] + SOFTENING))
    columns = torch.tensor(np.stack([np.ones(len(odds)), odds, np.log1p(shown["prompt_distance"])], 1))
    j = torch.tensor(shown["j"])
    weights = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(columns @ weights, j)
        value.backward()
        return value

    solver.step(loss)
    print(f"fitted on {len(j)} masks")
    return [round(float(weight), 2) for weight in weights.detach()]


def ranks(masks: Masks) -> Iterator[str]:
    """Yield lines: how each column ranks the masks that are not empty, over all videos and within each."""
    shown = select_rows(masks, masks["area"] > 0)
    for name in ("score", "stability", "area_change", "prompt_distance", "trust"):
        known = select_rows(shown, np.isfinite(shown[name].astype(float)))
        within_videos = [
            spearman(SIGNS[name] * video[name], video["j"]) for video in groups(known, "video_id").values()
        ]
        pooled = spearman(SIGNS[name] * known[name], known["j"])
        within = np.mean([rank for rank in within_videos if rank is not None])
        yield f"{name:16} pooled {pooled:.2f}  within {within:.2f}"


def halves(output: str, truth: str, masks: Masks) -> Iterator[str]:
    """Yield lines: the mean J of the most trusted masks."""
    mean_j = masks["j"].mean()
    for unit in ("frame", "mask"):
        kept = [read_masks(output, truth, Criteria(best=share, unit=unit))["j"].mean() for share in SHARES]
        best = "  ".join(f"{share:.0%} {j:.3f}" for share, j in zip(SHARES, kept, strict=True))
        yield f"{unit:5} all {mean_j:.3f}  {best}  floor {(1 + mean_j) / 2:.3f}"
    by_j, by_stability = (
        risk_coverage(masks[name].astype(float), masks["j"], (0.5,))[0] for name in ("j", "stability")
    )
    yield f"half: by J itself {by_j:.3f}, by stability {by_stability:.3f}"
    yield f"half of frames: by J itself {best_frames(masks):.3f}"


def best_frames(masks: Masks) -> float:
    """Return the mean J of the masks of the better half of frames, ranked by a frame's mean J."""
    names = [f"{video} {frame}" for video, frame in zip(masks["video_id"], masks["frame_index"], strict=True)]
    _, frame_of = np.unique(names, return_inverse=True)
    frame_means = np.bincount(frame_of, masks["j"]) / np.bincount(frame_of)
    kept = np.argsort(-frame_means)[: len(frame_means) // 2]
    return float(masks["j"][np.isin(frame_of, kept)].mean())


def mean_text(j: np.ndarray) -> str:
    """Format the mean, or a dash for no values."""
    return f"{j.mean():.3f}" if j.size else "-"


def estimates(masks: Masks) -> Iterator[str]:
    """Yield lines: the mean J of the masks whose trust is in a range, and how many masks missed their object."""
    for low, high in pairwise(BINS):
        group = select_rows(masks, (masks["area"] > 0) & (masks["trust"] > low) & (masks["trust"] <= high))
        yield f"trust {low} to {high}: mean J {mean_text(group['j'])} of {len(group['j'])} masks"
    lost = select_rows(masks, (masks["area"] > 0) & (masks["j"] < LOST_BELOW))
    of_track = [len(track["j"]) for track in groups(lost, "video_id", "object_id").values()]
    yield f"masks of J below {LOST_BELOW} by track: {sum(of_track)} = {sorted(of_track, reverse=True)}"
    empty = masks["area"] == 0
    yield f"empty masks {empty.sum()}, of visible objects {(empty & (masks['true_area'] > 0)).sum()}"


def tracks(rows: list[VideoRow], masks: Masks) -> Iterator[str]:
    """Yield lines: how well the cycle check ranks a track's mean J, and the mean J within events."""
    means = {key: track["j"].mean() for key, track in groups(masks, "video_id", "object_id").items()}
    found = [
        (track, row.video_id)
        for row in rows
        for track in row.tracks or ()
        if (row.video_id, track.object_id) in means  # tracks of the last frame alone have no mean
    ]
    j = np.array([means[video, track.object_id] for track, video in found])
    cycle = np.array([np.nan if track.cycle is None else track.cycle for track, _ in found])
    yield f"cycle's rank correlation with a track's J {spearman(cycle, j):.2f}; all {j.mean():.3f}"
    for threshold in (0.5, 0.7):
        chosen = cycle >= threshold
        above, below = mean_text(j[chosen]), mean_text(j[~chosen])
        yield f"cycle from {threshold}: {above} ({chosen.sum()} of {len(j)}), below {below}"
    kind = np.full(len(masks["j"]), "neither")
    for track, video in found:
        of_track = (masks["video_id"] == video) & (masks["object_id"] == track.object_id)
        for event in track.events:
            in_event = (masks["frame_index"] >= event.first_frame) & (masks["frame_index"] <= event.last_frame)
            kind[of_track & in_event] = event.kind
    for (name,), group in groups({**masks, "kind": kind}, "kind").items():
        yield f"{name}: mean J {mean_text(group['j'])} ({len(group['j'])} masks)"


def measure(folder: Path, davis: Path | None = None) -> None:
    """Print all figures."""
    for name in ("fitted", "others", *(["davis"] if davis else [])):
        output, truth = segment(folder, name, davis if name == "davis" else None)
        masks = read_masks(output, truth)
        if name == "fitted":
            print("weights", *fit(masks))
        lines = (
            *ranks(masks),
            *halves(output, truth, masks),
            *estimates(masks),
            *tracks(read_video_rows(output), masks),
        )
        print(f"== {name}", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for clips and outputs, which a later run reuses")
    parser.add_argument("--davis", type=Path, help="a tree to report on as well")
    arguments = parser.parse_args()
    measure(arguments.folder, arguments.davis)
