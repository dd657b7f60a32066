"""Each criterion drops the right frames or masks, under the right reason, and never the prompts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import UserError
from jobs.records import Track, TrackEvent, VideoRow
from jobs.selections.criteria import Criteria
from jobs.selections.judging import REASONS, Masks, Units, judge
from jobs.selections.ranking import keep_best, spread

SHARE = {
    "min_score": (1.5, -0.1, float("nan")),
    "best": (0.0, 1.01, float("nan")),
    "min_area": (-1,),
    "max_per_video": (0,),
    "every": (0, -3),
    "unit": ("clip",),
    "min_trust": (2,),
    "min_cycle": (-1,),
    "min_stability": (1.1,),
}


def masks(video: str = "aaaa", **values: Any) -> Masks:
    """Build flawless masks of object 1, one per frame. video: an id of one letter for each mask."""
    count, ids = len(video), list(dict.fromkeys(video))
    given = dict(
        frame=[video[:i].count(v) for i, v in enumerate(video)],
        object_id=[1] * count,
        area=[9] * count,
        score=[1.0] * count,
        stability=[1.0] * count,
        is_prompt=[False] * count,
        trust=[1.0] * count,
    )
    return Masks(
        video_ids=ids,
        video=np.array([ids.index(v) for v in video]),
        **{k: np.array(v) for k, v in (given | values).items()},
    )


def row(video_id: str, *tracks: Track) -> VideoRow:
    return VideoRow(video_id=video_id, work_id="w", status="done", video="v", prompts="p", tracks=tracks)


def reasons(found: Masks, videos: dict[str, VideoRow] | None = None, **criteria: Any) -> list[str]:
    videos = {name: row(name) for name in found.video_ids} if videos is None else videos
    return [REASONS[i] for i in judge(found, Criteria(**criteria), videos).reason]


TWO_ON_A_FRAME = dict(frame=[0, 0, 1, 1, 2, 2], object_id=[1, 2] * 3)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SHARE.items() for value in values])
def test_illegal_criteria_raise(name: str, value: object) -> None:
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')} {value} is not usable; legal: "):
        Criteria(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "values", "criterion"),
    [
        ("score", [0.5, 0.4, 0.6, np.nan], {"min_score": 0.5}),
        ("stability", [0.5, 0.4, 0.6, np.nan], {"min_stability": 0.5}),
        ("area", [50, 40, 60, 1], {"min_area": 50}),
        ("trust", [0.5, 0.4, 0.6, 0.1], {"min_trust": 0.5}),
    ],
)
def test_threshold_drops_values_below_it_and_nan(column: str, values: list[float], criterion: dict[str, Any]) -> None:
    (name,) = criterion
    given: dict[str, Any] = {column: values}
    for unit in ("frame", "mask"):
        assert reasons(masks(**given), unit=unit, **criterion) == ["kept", name, "kept", name]
    prompts = masks(**given, is_prompt=[True] * 4)
    assert set(reasons(prompts, **criterion)) == {"kept"}


def test_one_bad_mask_drops_its_frame_but_not_other_masks() -> None:
    found = masks("aaaaaa", **TWO_ON_A_FRAME, score=[1, 1, 1, 0.1, 0.1, 1])
    assert reasons(found, min_score=0.5) == ["kept", "min_score", "min_score"]
    assert reasons(found, min_score=0.5, unit="mask") == ["kept"] * 3 + ["min_score"] * 2 + ["kept"]


def test_empty_mask_fails_no_threshold() -> None:
    found = masks("aaaaaa", **TWO_ON_A_FRAME, area=[9, 0, 0, 0, 9, 9], score=[1, 0, 0, 0, 1, 1])
    assert reasons(found, min_score=0.5, min_area=2) == ["kept", "empty", "kept"]
    assert reasons(found, unit="mask") == ["kept", "empty", "empty", "empty", "kept", "kept"]


def test_trust_threshold_counts_empty_masks_but_not_prompts() -> None:
    """Nine in ten empty masks were lost objects, not absent ones (docs/LABELS.md)."""
    found = masks(
        "aaaaaa",
        **TWO_ON_A_FRAME,
        area=[9, 0, 9, 0, 9, 9],
        trust=[1, 0, 0.9, 0, 0.9, 1],
        is_prompt=[True, False, False, False, False, True],
    )
    assert reasons(found, min_trust=0.5) == ["kept", "min_trust", "kept"]


def test_unit_is_counted_under_its_first_reason() -> None:
    found = masks("aaaabb", score=[1, 0, 0, 1, 0, 0], area=[9, 9, 0, 1, 9, 9])
    assert reasons(found, {"a": row("a")}, every=2, min_score=0.5, min_area=5) == [
        "kept",
        "every",
        "empty",
        "every",
        "video",
        "video",
    ]
    assert reasons(found, min_score=0.5, min_area=5)[3] == "min_area"


def test_every_counts_from_each_videos_first_frame() -> None:
    found = masks("aaaabbbb", frame=[3, 4, 6, 9, 0, 1, 3, 4])
    assert reasons(found, every=3) == ["kept", "every", "kept", "kept", "kept", "every", "kept", "every"]


def test_no_prompts_drops_only_frames_without_other_masks() -> None:
    found = masks("aaaaaa", **TWO_ON_A_FRAME, is_prompt=[True, True, True, False, False, False])
    assert reasons(found, prompts=False) == ["prompts", "kept", "kept"]
    assert reasons(found, prompts=False, unit="mask") == ["prompts"] * 3 + ["kept"] * 3


def test_no_events_drops_frames_in_events_of_their_objects_but_not_prompts() -> None:
    events = TrackEvent("drift", 1, 2), TrackEvent("vanish", 4, 4)
    found = masks(
        "aaaaaabb",
        frame=[0, 1, 2, 3, 4, 5, 1, 2],
        area=[9, 9, 9, 9, 0, 9, 9, 9],
        object_id=[1] * 6 + [2, 1],
        is_prompt=[False, True] + [False] * 6,
    )
    videos = {
        "a": row("a", Track(object_id=1, frames=5, events=events)),
        "b": row("b", Track(object_id=1, frames=1, events=events[:1]), Track(object_id=2, frames=1)),
    }
    assert set(reasons(found, videos)) == {"kept", "empty"}
    dropped = reasons(found, videos, events=False)
    assert dropped == ["kept", "kept", "events", "kept", "empty", "kept", "kept", "events"]


def test_vanished_object_drops_a_frame_with_other_objects() -> None:
    found = masks("aaaaaa", **TWO_ON_A_FRAME, area=[9, 9, 9, 0, 9, 0])
    videos = {
        "a": row("a", Track(object_id=1, frames=3), Track(object_id=2, frames=1, events=(TrackEvent("vanish", 1, 1),)))
    }
    assert reasons(found, videos, events=False) == ["kept", "events", "kept"]


def test_min_cycle_judges_objects_and_requires_cycle_checks() -> None:
    found = masks("aaab", object_id=[1, 2, 7, 1], frame=[0, 0, 0, 0])
    known = {
        "a": row(
            "a",
            Track(object_id=7, frames=1, cycle=0.4),
            Track(object_id=1, frames=1, cycle=0.5),
            Track(object_id=2, frames=1, cycle=0.9),
        ),
        "b": row("b", Track(object_id=1, frames=1, cycle=0.1)),
    }
    assert reasons(found, known, min_cycle=0.5, unit="mask") == ["kept", "kept", "min_cycle", "min_cycle"]
    for lacking in ((Track(object_id=1, frames=1),), ()):
        with pytest.raises(UserError, match="video 'b'.*run `stcn segment` with --cycle-check first"):
            reasons(found, known | {"b": row("b", *lacking)}, min_cycle=0.5)
    assert reasons(found, {"a": known["a"]}, min_cycle=0.1, unit="mask")[3] == "video"


def units(*trust: float, video: str = "", judged: list[bool] | None = None) -> Units:
    found = masks(
        video or "a" * len(trust), trust=list(trust), is_prompt=[not j for j in judged or [True] * len(trust)]
    )
    return judge(found, Criteria(), {name: row(name) for name in found.video_ids})


def kept(found: Units) -> list[int]:
    return np.flatnonzero(found.reason == 0).tolist()


def test_best_ranks_across_files_with_ties_to_the_first() -> None:
    files = units(0.5, 0.9, 0.2), units(0.5, 0.5, 0.1)
    keep_best(files, 0.5)
    assert [kept(file) for file in files] == [[0, 1], [0]]
    keep_best(files, 1.0)
    many = units(*[0.5] * 99, 0.9)
    keep_best([many], 0.5)
    assert kept(many) == [*range(49), 99]
    keep_best([], 0.5)
    keep_best([thirty := units(*np.linspace(0, 1, 30))], 0.1)  # 0.1 * 30 > 3
    assert kept(thirty) == [27, 28, 29]
    assert [kept(file) for file in files] == [[0, 1], [0]]


def test_best_keeps_prompts_without_counting_them() -> None:
    file = units(0.5, 0.9, 0.2, 0.7, judged=[False, True, True, True])
    keep_best([file], 0.5)
    assert kept(file) == [0, 1, 3]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=40),
    st.integers(1, 9),
    st.data(),
)
def test_max_per_video_keeps_the_best_of_each_run(
    given_units: list[tuple[str, int]], max_units: int, data: st.DataObject
) -> None:
    given_units.sort(key=lambda unit: unit[0])
    found = units(*(value / 3 for _, value in given_units), video="".join(v for v, _ in given_units))
    gone = np.array(data.draw(st.lists(st.booleans(), min_size=len(given_units), max_size=len(given_units))), bool)
    found.drop("min_score", gone)
    spread(found, max_units)
    for name in "abc":
        places = [i for i, (v, _) in enumerate(given_units) if v == name and not gone[i]]
        runs = (
            places
            if len(places) <= max_units
            else [
                [place for j, place in enumerate(places) if j * max_units // len(places) == run]
                for run in range(max_units)
            ]
        )
        best = [run if isinstance(run, int) else max(run, key=lambda i: (given_units[i][1], -i)) for run in runs]
        assert [i for i in kept(found) if given_units[i][0] == name] == best
