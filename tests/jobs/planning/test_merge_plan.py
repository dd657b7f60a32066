"""Plans of merges keep their bounds, whatever the files: sizes, numbers, order, and nothing to do a second time."""

import random

import pytest

from jobs.planning.merge_plan import LARGEST, MB, SMALLEST, TARGET, Group, StoredFile, plan_merges


def files_of(sizes: list[float]) -> list[StoredFile]:
    """Files of so many MB, each with a video of its own, named in another order than that of their videos."""
    return [StoredFile(f"{(n * 7919) % 10007:05d}", round(mb * MB), f"v{n:05d}") for n, mb in enumerate(sizes)]


def drawn(seed: int) -> list[StoredFile]:
    """Up to 400 files of any mix of sizes."""
    chance = random.Random(seed)
    largest = chance.choice((0.1, 2, 5, 60, 127, 130, 300, 900))
    sizes = [chance.uniform(0.01, largest) for _ in range(chance.randint(0, 400))]
    return files_of(sizes + [chance.uniform(128, 600) for _ in range(chance.randint(0, 3))])


def size(group: Group) -> int:
    return sum(file.num_bytes for file in group)


def merged(files: list[StoredFile], groups: list[Group]) -> list[StoredFile]:
    """The files that there are afterwards, if a merged file is as long as all of its sources."""
    left = {file.name for group in groups for file in group}
    new = [StoredFile(f"m{n}", size(group), group[0].first_video) for n, group in enumerate(groups)]
    return [file for file in files if file.name not in left] + new


@pytest.mark.parametrize("seed", range(200))
def test_every_plan_keeps_its_bounds(seed: int) -> None:
    files = drawn(seed)
    groups = plan_merges(files)
    small = [file for file in files if file.num_bytes < SMALLEST]
    planned = [file for group in groups for file in group]
    assert len({file.name for file in planned}) == len(planned), "a file is merged twice"
    assert {file.name for file in planned} <= {file.name for file in small}
    assert all(len(group) > 1 and size(group) <= LARGEST for group in groups)
    assert all(size(group) >= SMALLEST for group in groups) or sum(f.num_bytes for f in small) < SMALLEST
    assert [f.first_video for f in planned] == sorted(f.first_video for f in planned)
    after = merged(files, groups)
    assert sum(file.num_bytes < SMALLEST for file in after) <= 1
    assert len(after) <= sum(file.num_bytes for file in files) / SMALLEST + 1
    assert plan_merges(after) == [], "a second compaction has nothing to do"


@pytest.mark.parametrize("seed", range(20))
def test_plan_depends_on_no_order_of_the_files(seed: int) -> None:
    files = drawn(seed)
    shuffled = random.Random(seed).sample(files, len(files))
    assert plan_merges(shuffled) == plan_merges(files)


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([], []),
        ([3], []),
        ([300, 3], []),
        ([128, 200, 600], []),
        ([3, 4], [2]),
        ([1.5] * 171, [171]),
        ([1.5] * 250, [250]),
        ([1.5] * 260, [171, 89]),
        ([1.5] * 342, [171, 171]),
        ([127, 127, 127, 127], [4]),
        ([127, 127, 127, 127, 3], [3, 2]),
        ([100, 600, 100], [2]),
    ],
)
def test_groups_of_known_files(sizes: list[float], groups: list[int]) -> None:
    assert [len(group) for group in plan_merges(files_of(sizes))] == groups


def test_files_come_near_the_target() -> None:
    sizes = [size(group) for group in plan_merges(files_of([1.5] * 62_500))]
    assert len(sizes) == 365
    assert all(TARGET <= num_bytes <= TARGET + SMALLEST for num_bytes in sizes)
