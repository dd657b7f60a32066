"""Segment clips with known masks, fit trust to some, and measure it on others: the figures of LABELS.md.

A table of masks is a mapping from column to values: j (true IoU), trust, score, stability, area_change,
prompt_distance, area and true_area in pixels, video_id, object_id, frame_index. Prompts are in none of them.
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
from jobs.run.progress import NullReporter
from jobs.scores.trust_curves import SIGNS, risk_coverage, spearman
from jobs.selections.criteria import Criteria

CLIPS, FRAMES, SEEDS = 12, 48, {"fitted": 3000, "others": 5000}
SHARES = (0.75, 0.5, 0.25)
BINS = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 1)

Masks = Mapping[str, np.ndarray]


def segmented(folder: Path, name: str, davis: Path | None) -> tuple[str, str]:
    """An output at 240p, taken up if it is there, and its truth."""
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


def masks_of(output: str, truth: str, criteria: Criteria | None = None) -> Masks:
    """The masks that a selection keeps, with their true IoU."""
    with TemporaryDirectory() as folder:
        select_output(output, folder, criteria or Criteria())
        frames = evaluate_output(folder, truth).frames
    frames = frames.filter(pc.and_(pc.is_valid(frames["area"]), pc.invert(pc.fill_null(frames["is_prompt"], True))))
    return {name: frames[name].to_numpy() for name in frames.column_names}


def where(masks: Masks, chosen: np.ndarray) -> Masks:
    """Those that are chosen."""
    return {name: values[chosen] for name, values in masks.items()}


def groups(masks: Masks, *names: str) -> dict[tuple[object, ...], Masks]:
    """By what they have in these columns."""
    keys = list(zip(*(masks[name].tolist() for name in names), strict=True))
    return {key: where(masks, np.array([other == key for other in keys])) for key in sorted(set(keys))}


def fit(masks: Masks) -> list[float]:
    """Logistic regression of IoU: weights of 1, the odds of stability, and the distance's logarithm."""
    shown = where(masks, masks["area"] > 0)
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
    """How each column ranks the masks that are not empty: pooled, and within a video."""
    shown = where(masks, masks["area"] > 0)
    for name in ("score", "stability", "area_change", "prompt_distance", "trust"):
        known = where(shown, np.isfinite(shown[name].astype(float)))
        inside = [spearman(SIGNS[name] * one[name], one["j"]) for one in groups(known, "video_id").values()]
        pooled = spearman(SIGNS[name] * known[name], known["j"])
        yield f"{name:16} pooled {pooled:.2f}  within {np.mean([one for one in inside if one is not None]):.2f}"


def halves(output: str, truth: str, masks: Masks) -> Iterator[str]:
    """Mean J of the most trusted."""
    everything = masks["j"].mean()
    for unit in ("frame", "mask"):
        kept = [masks_of(output, truth, Criteria(best=share, unit=unit))["j"].mean() for share in SHARES]
        best = "  ".join(f"{share:.0%} {j:.3f}" for share, j in zip(SHARES, kept, strict=True))
        yield f"{unit:5} all {everything:.3f}  {best}  floor {(1 + everything) / 2:.3f}"
    by_j, by_stability = (
        risk_coverage(masks[name].astype(float), masks["j"], (0.5,))[0] for name in ("j", "stability")
    )
    yield f"half: by J itself {by_j:.3f}, by stability {by_stability:.3f}"
    yield f"half of frames: by J itself {best_frames(masks):.3f}"


def best_frames(masks: Masks) -> float:
    """Mean J of the masks of the best half of frames, as a frame's mean J ranks them."""
    names = [f"{video} {frame}" for video, frame in zip(masks["video_id"], masks["frame_index"], strict=True)]
    _, frame_of = np.unique(names, return_inverse=True)
    of_frames = np.bincount(frame_of, masks["j"]) / np.bincount(frame_of)
    kept = np.argsort(-of_frames)[: len(of_frames) // 2]
    return float(masks["j"][np.isin(frame_of, kept)].mean())


def mean(j: np.ndarray) -> str:
    """Of some, or a dash."""
    return f"{j.mean():.3f}" if j.size else "-"


def estimates(masks: Masks) -> Iterator[str]:
    """Mean J where trust is in a range."""
    for least, most in pairwise(BINS):
        group = where(masks, (masks["area"] > 0) & (masks["trust"] > least) & (masks["trust"] <= most))
        yield f"trust {least} to {most}: mean J {mean(group['j'])} of {len(group['j'])} masks"
    empty = masks["area"] == 0
    yield f"empty masks {empty.sum()}, of them of objects that are there {(empty & (masks['true_area'] > 0)).sum()}"


def tracks(rows: list[VideoRow], masks: Masks) -> Iterator[str]:
    """How well the cycle check tells the mean J of a track, and what lies in events."""
    means = {key: track["j"].mean() for key, track in groups(masks, "video_id", "object_id").items()}
    found = [(track, row.video_id) for row in rows for track in row.tracks or ()]
    found = [one for one in found if (one[1], one[0].object_id) in means]  # not those that show on the last frame alone
    j = np.array([means[video, track.object_id] for track, video in found])
    cycle = np.array([np.nan if track.cycle is None else track.cycle for track, _ in found])
    yield f"cycle's rank correlation with a track's J {spearman(cycle, j):.2f}; all {j.mean():.3f}"
    for least in (0.5, 0.7):
        chosen = cycle >= least
        yield f"cycle from {least}: {mean(j[chosen])} ({chosen.sum()} of {len(j)}), below {mean(j[~chosen])}"
    kind = np.full(len(masks["j"]), "neither")
    for track, video in found:
        own = (masks["video_id"] == video) & (masks["object_id"] == track.object_id)
        for event in track.events:
            kind[own & (masks["frame_index"] >= event.first_frame) & (masks["frame_index"] <= event.last_frame)] = (
                event.kind
            )
    for (name,), group in groups({**masks, "kind": kind}, "kind").items():
        yield f"{name}: mean J {mean(group['j'])} ({len(group['j'])} masks)"


def measure(folder: Path, davis: Path | None = None) -> None:
    """Print all figures."""
    for name in ("fitted", "others", *(["davis"] if davis else [])):
        output, truth = segmented(folder, name, davis if name == "davis" else None)
        masks = masks_of(output, truth)
        if name == "fitted":
            print("weights", *fit(masks))
        told = (
            *ranks(masks),
            *halves(output, truth, masks),
            *estimates(masks),
            *tracks(read_video_rows(output), masks),
        )
        print(f"== {name}", *told, sep="\n", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what is drawn and segmented is kept here")
    parser.add_argument("--davis", type=Path, help="a tree to report on, too")
    arguments = parser.parse_args()
    measure(arguments.folder, arguments.davis)
