"""Scores of two outputs are compared object by object, if both have the same rules."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from jobs.errors import UserError
from jobs.scores.comparison import compare
from jobs.scores.summary import format_comparison
from jobs.scores.tables import FRAMES, ObjectScore, Scores
from stcn_core.metrics import Statistics


def scores(*values: tuple[str, int, float]) -> Scores:
    """Scores from (video, object, J); F is J - 0.1."""
    objects = [
        ObjectScore(
            video_id=video,
            object_id=number,
            frames=9,
            missing=0,
            prompts=0,
            statistics={"j": Statistics(j, 1.0, 0.0), "f": Statistics(j - 0.1, 1.0, 0.0)},
            copy_means={"j": 0.5, "f": 0.5},
            protocol="davis",
            void="none",
        )
        for video, number, j in values
    ]
    return Scores(objects=objects, frames=FRAMES.empty_table())


def changed(scores: Scores, **values: object) -> Scores:
    objects: Sequence[ObjectScore] = [replace(score, **values) for score in scores.objects]  # type: ignore[arg-type]
    return Scores(objects=objects, frames=scores.frames)


OURS = scores(("a", 1, 0.8), ("a", 2, 0.5), ("b", 1, 0.3), ("c", 1, 0.9), ("only", 1, 0.1))
THEIRS = scores(("a", 1, 0.7), ("a", 2, 0.5), ("b", 1, 0.6), ("c", 1, 0.95), ("c", 9, 0.0))


def test_worst_video_comes_first_and_objects_are_counted() -> None:
    found = compare(OURS, THEIRS)
    assert [(video.video_id, video.better, video.worse) for video in found.videos] == [
        ("b", 0, 1), ("c", 0, 1), ("a", 1, 0),
    ]  # fmt: skip
    assert (found.all.objects, found.all.better, found.all.worse) == (4, 1, 2)
    assert found.all.difference == pytest.approx((0.1 - 0.3 - 0.05) / 4)
    assert (found.videos[0].differences["j"], found.videos[0].mean) == pytest.approx((-0.3, 0.25))
    assert (found.only_first, found.only_second, found.other_frames) == (1, 1, 0)
    lines = format_comparison(found).splitlines()
    assert [line.split()[0] for line in lines] == ["video", "b", "c", "a", "all", "1", "1"]
    assert "-0.300" in lines[1]


def test_scores_by_different_rules_raise() -> None:
    with pytest.raises(UserError, match="object 1 of 'a' was scored by protocol davis with void none, and by youtube"):
        compare(OURS, changed(THEIRS, protocol="youtube-vos"))
    with pytest.raises(UserError, match="void ignored"):
        compare(changed(OURS, void="ignored"), THEIRS)
    assert compare(OURS, changed(THEIRS, frames=8)).other_frames == 4


def test_scores_without_common_objects_raise() -> None:
    with pytest.raises(UserError, match="no object in common"):
        compare(OURS, scores(("z", 1, 0.5)))
