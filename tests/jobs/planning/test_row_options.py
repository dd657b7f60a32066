"""A row of the manifest sets options for its own video, and no others."""

from pathlib import Path

import pytest

from jobs.errors import ManifestError
from jobs.planning.config import SegmentConfig
from jobs.planning.row_options import RowOptions, option_columns
from jobs.records import Entry
from tests.core.tiny import tiny_model

PER_VIDEO = {
    "memory_every", "top_k", "include_last", "max_memory_frames", "memory_policy", "direction", "on_cut", "cycle_check",
    "short_side", "on_bad_annotation", "overlap",
}  # fmt: skip


def entry(video_id: str, **overrides: object) -> Entry:
    return Entry(video_id=video_id, video="", prompts="", overrides=tuple(overrides.items()))


@pytest.fixture
def options(tmp_path: Path) -> RowOptions:
    return RowOptions(SegmentConfig(manifest="m.csv", output=str(tmp_path), top_k=7), tiny_model())


def test_options_that_change_one_videos_masks_are_columns() -> None:
    assert {name for name, is_per_video in option_columns().items() if is_per_video} == PER_VIDEO


def test_a_rows_options_are_above_those_of_the_run(options: RowOptions) -> None:
    plain = options.of(entry("a"))
    own = options.of(entry("b", memory_every=3, direction="both", on_cut="split", overlap="later", short_side=240.0))
    assert (plain.propagation.memory_every, plain.propagation.direction, plain.clips.on_cut) == (5, "forward", "keep")
    assert (own.propagation.memory_every, own.propagation.direction, own.clips.on_cut) == (3, "both", "split")
    assert (own.propagation.short_side, own.leniency.overlap) == (240, "later")
    assert plain.propagation.top_k == own.propagation.top_k == 7


def test_illegal_values_are_refused_before_a_run(options: RowOptions) -> None:
    with pytest.raises(ManifestError) as error:
        options.check([entry("a", top_k=3), entry("b", memory_every=0), entry("c", overlap="last")])
    assert "2 problems" in str(error.value)
    assert "video_id 'b': --memory-every" in str(error.value)
    assert "video_id 'c': --overlap" in str(error.value)
