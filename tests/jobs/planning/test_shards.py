"""The plan is a deterministic partition of the unfinished work."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.planning.shards import MAX_VIDEOS, plan_shards
from jobs.records import Entry
from jobs.segmenting.work_item import WorkItem


def item(number: int, frames: int) -> WorkItem:
    return WorkItem(
        entry=Entry(video_id=f"v{number:04d}", video="v.mp4", prompts="p.png"),
        work_id=f"work-{number}",
        expected_frames=frames,
    )


@given(
    st.lists(st.integers(1, 9000), max_size=60), st.sets(st.integers(0, 59)), st.integers(1, 8), st.integers(1, 5000)
)
def test_every_unfinished_video_is_in_exactly_one_shard(
    frames: list[int], done: set[int], actors: int, limit: int
) -> None:
    items = [item(number, count) for number, count in enumerate(frames)]
    finished = {f"work-{number}" for number in done}
    shards = plan_shards(items, finished, actors, frames_per_shard=limit)
    planned = [i for shard in shards for i in shard.items]
    assert sorted(i.work_id for i in planned) == sorted(i.work_id for i in items if i.work_id not in finished)
    for shard in shards:
        ids = [i.entry.video_id for i in shard.items]
        assert ids == sorted(ids)
        assert shard.expected_frames <= limit or len(ids) == 1
        assert len(ids) <= MAX_VIDEOS
    assert [s.expected_frames for s in shards] == sorted((s.expected_frames for s in shards), reverse=True)
    assert shards == plan_shards(list(reversed(items)), finished, actors, frames_per_shard=limit)
    assert len({shard.shard_id for shard in shards}) == len(shards)


def test_small_archive_is_divided_among_all_actors() -> None:
    shards = plan_shards([item(n, 40) for n in range(8)], set(), actors=2, frames_per_shard=4000)
    assert len(shards) == 8
    shards = plan_shards([item(n, 40) for n in range(1000)], set(), actors=2, frames_per_shard=4000)
    assert {len(shard.items) for shard in shards} == {100}
