"""Compare the scores of two outputs, object by object."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jobs.errors import UserError
from jobs.scores.metrics import TITLES
from jobs.scores.tables import ObjectScore, Scores

EQUAL = 1e-6  # difference of J&F; a smaller one is rounding


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Means over the objects of both outputs, and how many objects are better or worse in the first."""

    video_id: str | None  # None: all videos
    objects: int
    better: int  # objects whose J&F is higher in the first output
    worse: int
    means: Mapping[str, float]  # of each metric in the first output
    mean: float  # J&F of the first output
    against: float  # J&F of the second
    differences: Mapping[str, float]  # of each metric: the first less the second
    difference: float  # of J&F: the first less the second

    def as_dict(self) -> dict[str, Any]:
        """Plain data, with a key for each metric."""
        return {
            **{name: getattr(self, name) for name in ("video_id", "objects", "better", "worse")},
            **self.means,
            **{name: getattr(self, name) for name in ("mean", "against")},
            **{f"{column}_difference": value for column, value in self.differences.items()},
            "difference": self.difference,
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One output against another."""

    videos: Sequence[Difference]  # the worst loss first
    all: Difference
    only_first: int  # objects with scores only in the first output
    only_second: int  # and only in the second
    other_frames: int  # objects scored on different numbers of frames

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        videos = [video.as_dict() for video in self.videos]
        counts = {name: getattr(self, name) for name in ("only_first", "only_second", "other_frames")}
        return {"videos": videos, "all": self.all.as_dict(), **counts}


def compare(first: Scores, second: Scores) -> Comparison:
    """Compare two outputs by object. Raises UserError if they share no object, or were scored by different rules."""
    ours, theirs = ({(s.video_id, s.object_id): s for s in scores.objects} for scores in (first, second))
    pairs = [(score, theirs[key]) for key, score in ours.items() if key in theirs]
    if not pairs:
        raise UserError("the two have scores of no object in common; legal: scores of the same videos")
    for a, b in pairs:
        if (a.protocol, a.void) != (b.protocol, b.void):
            raise UserError(
                f"object {a.object_id} of {a.video_id!r} was scored by protocol {a.protocol} with void {a.void}, and "
                f"by {b.protocol} with void {b.void} in the other; score both alike with --protocol and --void"
            )
    by_video: dict[str, list[tuple[ObjectScore, ObjectScore]]] = {}
    for a, b in pairs:
        by_video.setdefault(a.video_id, []).append((a, b))
    videos = [_difference(video_id, own) for video_id, own in by_video.items()]
    return Comparison(
        videos=sorted(videos, key=lambda video: (video.difference, video.video_id)),
        all=_difference(None, pairs),
        only_first=len(ours) - len(pairs),
        only_second=len(theirs) - len(pairs),
        other_frames=sum(a.frames != b.frames for a, b in pairs),
    )


def _difference(video_id: str | None, pairs: Sequence[tuple[ObjectScore, ObjectScore]]) -> Difference:
    gains = [a.mean - b.mean for a, b in pairs]
    ours, theirs = _means([a for a, _ in pairs]), _means([b for _, b in pairs])
    mean, against = _mean(a.mean for a, _ in pairs), _mean(b.mean for _, b in pairs)
    return Difference(
        video_id=video_id,
        objects=len(pairs),
        better=sum(gain > EQUAL for gain in gains),
        worse=sum(gain < -EQUAL for gain in gains),
        means=ours,
        mean=mean,
        against=against,
        differences={column: ours[column] - theirs[column] for column in TITLES},
        difference=mean - against,
    )


def _means(scores: Sequence[ObjectScore]) -> dict[str, float]:
    return {column: _mean(score.statistics[column].mean for score in scores) for column in TITLES}


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
