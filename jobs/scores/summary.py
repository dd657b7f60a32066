"""Reports of scores, comparisons and trust curves, as text and as plain data for JSON."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jobs.errors import printable
from jobs.scores.comparison import Comparison, Difference
from jobs.scores.reported_metrics import STATISTICS, TITLES
from jobs.scores.rules import PROTOCOLS, VOID_RULES
from jobs.scores.tables import COPY_COLUMNS, STATISTIC_COLUMNS, ObjectScore, Scores
from jobs.scores.trust_curves import SHARES, TrustCurve

NAMED = 5  # videos that a note lists by name
AVERAGED = (*STATISTIC_COLUMNS, "mean", *COPY_COLUMNS, "copy_mean")  # over objects
FIRST_TITLE, *OTHER_TITLES = TITLES.values()
HEADER = (
    *(name for title in TITLES.values() for name in (title, *STATISTICS[1:])), "J&F",
    f"copy {FIRST_TITLE}", *OTHER_TITLES, "J&F",
)  # fmt: skip


def format_scores(scores: Scores) -> str:
    """A line for each object, a line for each video, the mean over all objects, and the rules.

    The columns on the right are the scores of a copy of the object's first true mask.
    """
    objects = [[printable(s.video_id), str(s.object_id), str(s.frames), *_numbers([s])] for s in scores.objects]
    videos = [
        [printable(video_id), str(len(own)), str(sum(s.frames for s in own)), *_numbers(own)]
        for video_id, own in _by_video(scores.objects)
    ]
    videos.append(
        ["all", str(len(scores.objects)), str(sum(s.frames for s in scores.objects)), *_numbers(scores.objects)]
    )
    lines = [
        *_aligned([["video", "object", "frames", *HEADER], *objects]), "",
        *_aligned([["video", "objects", "frames", *HEADER], *videos]), "", *_notes(scores),
    ]  # fmt: skip
    return "\n".join(lines)


def format_comparison(comparison: Comparison) -> str:
    """A line for each video, the largest loss first, and a line for all videos."""
    titles = [f"of {title}" for title in TITLES.values()]
    header = ["video", "objects", "better", "worse", "J&F", "against", "difference", *titles]
    lines = _aligned([header, *(_difference(video) for video in (*comparison.videos, comparison.all))])
    for count, text in (
        (comparison.only_first, "objects have scores only in the first"),
        (comparison.only_second, "objects have scores only in the second"),
        (comparison.other_frames, "objects were scored on other numbers of frames"),
    ):
        lines += [f"{count} {text}"] if count else []
    return "\n".join(lines)


def format_trust(curves: Sequence[TrustCurve]) -> str:
    """A line for each column: its rank correlation with J, and the mean J of the masks that it keeps, 100 % to 10 %."""
    rows = [["J of kept", "masks", "spearman", *(f"{share:.0%}" for share in SHARES)]]
    for curve in curves:
        correlation = "-" if curve.spearman is None else f"{curve.spearman:.3f}"
        rows.append([curve.name, str(curve.masks), correlation, *(f"{value:.3f}" for value in curve.kept)])
    return "\n".join(_aligned(rows))


def as_json(scores: Scores, comparison: Comparison | None, curves: Sequence[TrustCurve] | None) -> dict[str, Any]:
    """All results as plain data."""
    found: dict[str, Any] = {
        "objects": [score.as_row() | {"mean": score.mean} for score in scores.objects],
        "videos": [{"video_id": video_id, **_means(own)} for video_id, own in _by_video(scores.objects)],
        "all": _means(scores.objects),
        "protocol": _videos_by("protocol", scores.objects),
        "void": _videos_by("void", scores.objects),
        "unscored": list(scores.unscored),
        "failures": dict(scores.failures),
        "too_late": [{"video_id": video_id, "object_id": object_id} for video_id, object_id in scores.too_late],
    }
    if comparison is not None:
        found["against"] = comparison.as_dict()
    if curves is not None:
        found["trust"] = {"shares": SHARES, "curves": [dataclasses.asdict(curve) for curve in curves]}
    return found


def _notes(scores: Scores) -> list[str]:
    """The rules, and what is excluded from the means or distorts them."""
    protocols, voids = (_videos_by(rule, scores.objects) for rule in ("protocol", "void"))
    lines = [f"protocol {name}: {PROTOCOLS[name]}" for name in protocols]
    lines += [f"void {name}: {VOID_RULES[name]} ({count} videos)" for name, count in voids.items()]
    frames, missing, prompts = (
        sum(getattr(s, name) for s in scores.objects) for name in ("frames", "missing", "prompts")
    )
    if prompts:
        lines.append(f"{prompts} of {frames} masks are prompts")
    if missing:
        there = scores.frames.filter(scores.frames["area"].is_valid())
        kept = [f"{title} {np.mean(there[name].to_numpy()):.3f}" for name, title in TITLES.items() if len(there)]
        others = f"; the others have a mean {', '.join(kept)}" if kept else ""
        lines.append(f"{missing} of {frames} masks are missing and count as empty{others}")
    if scores.unscored:
        names = _first_of([printable(name) for name in scores.unscored])
        lines.append(f"{len(scores.unscored)} videos of the truth have no masks here and do not count: {names}")
    lines += [f"not scored: {printable(name)}: {printable(reason)}" for name, reason in scores.failures.items()]
    if scores.too_late:
        names = _first_of([f"{object_id} of {printable(video_id)}" for video_id, object_id in scores.too_late])
        lines.append(
            f"{len(scores.too_late)} objects have no scores, first shown on the last frame that counts: {names}"
        )
    return lines


def _first_of(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _by_video(objects: Iterable[ObjectScore]) -> list[tuple[str, list[ObjectScore]]]:
    videos: dict[str, list[ObjectScore]] = {}
    for score in objects:
        videos.setdefault(score.video_id, []).append(score)
    return list(videos.items())


def _videos_by(rule: str, objects: Iterable[ObjectScore]) -> dict[str, int]:
    """The number of videos by value of a rule."""
    return dict(Counter(name for _, name in sorted({(score.video_id, getattr(score, rule)) for score in objects})))


def _means(objects: Sequence[ObjectScore]) -> dict[str, Any]:
    rows = [score.as_row() | {"mean": score.mean, "copy_mean": score.copy_mean} for score in objects]
    means = {name: float(np.mean([row[name] for row in rows])) for name in AVERAGED}
    return {"objects": len(objects), "frames": sum(score.frames for score in objects), **means}


def _numbers(objects: Sequence[ObjectScore]) -> list[str]:
    means = _means(objects)
    return [f"{means[name]:.3f}" for name in AVERAGED]


def _difference(one: Difference) -> list[str]:
    name = "all" if one.video_id is None else printable(one.video_id)
    counts = [str(count) for count in (one.objects, one.better, one.worse)]
    gains = [f"{value:+.3f}" for value in (one.difference, *one.differences.values())]
    return [name, *counts, f"{one.mean:.3f}", f"{one.against:.3f}", *gains]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of aligned columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if number else text.ljust(width)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
