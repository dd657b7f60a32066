"""A plan is described in a few lines, however many shards it has."""

from collections import Counter

from jobs.run.plan_report import SHOWN_SHARDS, describe_plan
from tests.jobs.scheduling.shards import shard


def test_plan_of_many_shards_lists_the_first_and_counts_the_rest() -> None:
    shards = [shard(10, 20, name=str(number)) for number in range(1_000)]
    lines = describe_plan(shards, Counter(pending=2_000), 0).splitlines()
    assert lines[0] == "2000 videos: 0 done, 0 quarantined; 1000 shards to do"
    assert lines[1].endswith("2 videos, about 30 frames: 0-0, 0-1")
    assert lines[1 + SHOWN_SHARDS :] == ["... and 980 shards more, of 1960 videos"]
