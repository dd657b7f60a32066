"""Two outputs' scores of the same objects: what one gains and loses against the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.errors import UserError
from jobs.scores.tables import ObjectScore, Scores

EQUAL = 1e-6  # of J&F: less is rounding


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Means over objects that both outputs have scores of, and how many of them are better or worse."""

    video_id: str | None  # None: all videos
    objects: int
    better: int  # objects whose J&F is higher in the first output
    worse: int
    j: float
    f: float
    mean: float  # J&F of the first output
    against: float  # J&F of the second
    j_difference: float
    f_difference: float
    difference: float  # of J&F: the first less the second


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Of one output against another."""

    videos: Sequence[Difference]  # the worst loss first
    all: Difference
    only_first: int  # objects that only the first output has scores of
    only_second: int
    other_frames: int  # objects that were scored on more frames in one output than in the other


def compare(first: Scores, second: Scores) -> Comparison:
    """Compare two outputs by object. Raises UserError if they share none, or were scored by different rules."""
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
    of_video: dict[str, list[tuple[ObjectScore, ObjectScore]]] = {}
    for a, b in pairs:
        of_video.setdefault(a.video_id, []).append((a, b))
    videos = [_difference(video_id, own) for video_id, own in of_video.items()]
    return Comparison(
        videos=sorted(videos, key=lambda video: (video.difference, video.video_id)),
        all=_difference(None, pairs),
        only_first=len(ours) - len(pairs),
        only_second=len(theirs) - len(pairs),
        other_frames=sum(a.frames != b.frames for a, b in pairs),
    )


def _difference(video_id: str | None, pairs: Sequence[tuple[ObjectScore, ObjectScore]]) -> Difference:
    gains = [a.mean - b.mean for a, b in pairs]
    j, f, mean = _mean(a.j_mean for a, _ in pairs), _mean(a.f_mean for a, _ in pairs), _mean(a.mean for a, _ in pairs)
    against = _mean(b.mean for _, b in pairs)
    return Difference(
        video_id=video_id,
        objects=len(pairs),
        better=sum(gain > EQUAL for gain in gains),
        worse=sum(gain < -EQUAL for gain in gains),
        j=j,
        f=f,
        mean=mean,
        against=against,
        j_difference=j - _mean(b.j_mean for _, b in pairs),
        f_difference=f - _mean(b.f_mean for _, b in pairs),
        difference=mean - against,
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
