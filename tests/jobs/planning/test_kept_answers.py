"""Answers of storage that are kept for the next run, and histories of runs that believe them."""

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.io import range_listing, storage
from jobs.planning.answers import Answer, Answers
from jobs.planning.identity import Identified, identify
from jobs.planning.kept_answers import FILE, KeptAnswers, read_answers, table_of
from jobs.records import Entry
from jobs.segmenting.scene_clips import ClipOptions
from jobs.segmenting.work_item import VideoOptions

OPTIONS, OTHERS = VideoOptions(), VideoOptions(clips=ClipOptions(cycle_check=True))


def entry_of(name: str, **options: Any) -> Entry:
    return Entry(video_id=name, video=f"s3://b/{name}.mp4", prompts=f"s3://b/masks/{name}", **options)


def answer(digit: str, requests: float = 1.0) -> Answer:
    return Answer(digit * 32, files=2, num_bytes=2**40, requests=requests)


def test_answers_come_back_as_they_were_written(tmp_path: Path) -> None:
    entries = [entry_of(name) for name in ("a", "b", "\u00e4")]
    given = [Answers(answer("1"), answer("2", 0.5)), Answers(answer("3"), None), Answers(None, answer("4"))]
    KeptAnswers([table_of(entries, given)]).write(str(tmp_path))
    assert read_answers(str(tmp_path)).of([*entries, entry_of("c")]) == [*given, Answers()]


def test_only_answers_of_locations_apart_are_kept() -> None:
    entries = [entry_of("a"), entry_of("b")]
    table = table_of(entries, [Answers(answer("1", 0.25), answer("2", 0.26)), Answers(answer("3", 0.0), None)])
    assert table["location"].to_pylist() == ["s3://b/masks/a"]


def test_new_answers_replace_those_of_the_same_entries_alone() -> None:
    a, b, c = (entry_of(name) for name in "abc")
    before = KeptAnswers([table_of([a, b], [Answers(answer("1"), answer("2")), Answers(answer("3"), answer("4"))])])
    after = before.updated([a, c], [table_of([a, c], [Answers(answer("5"), None), Answers(answer("6"), None)])])
    assert after.of([a, b, c]) == [
        Answers(answer("5"), None), Answers(answer("3"), answer("4")), Answers(answer("6"), None),
    ]  # fmt: skip


def written(folder: Path) -> bytes:
    entries = [entry_of(f"v{number}") for number in range(100)]
    KeptAnswers([table_of(entries, [Answers(answer("1"), answer("2"))] * 100)]).write(str(folder))
    return (folder / FILE).read_bytes()


def with_columns(content: bytes, columns: Sequence[str]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pq.read_table(pa.BufferReader(content)).select(columns), sink)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    "damaged",
    [
        lambda content: b"",
        lambda content: b"no Parquet",
        lambda content: content[:-20],
        lambda content: content[len(content) // 2 :],
        lambda content: with_columns(content, ["role", "location"]),
    ],
)
def test_damaged_file_holds_no_answers(damaged: Any, tmp_path: Path) -> None:
    content = written(tmp_path)
    assert len(read_answers(str(tmp_path))) == 200
    storage.write(f"{tmp_path}/{FILE}", damaged(content))
    assert len(read_answers(str(tmp_path))) == 0


def test_missing_file_holds_no_answers(tmp_path: Path) -> None:
    assert len(read_answers(str(tmp_path / "none"))) == 0


def test_flipped_bits_make_no_answer(tmp_path: Path) -> None:
    """The file is told to be damaged, or the answers are those that were written."""
    content = written(tmp_path)
    whole = read_answers(str(tmp_path)).table
    chance, told = random.Random(1), 0
    for _ in range(300):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        storage.write(f"{tmp_path}/{FILE}", bytes(flipped))
        found = read_answers(str(tmp_path))
        told += not len(found)
        assert not len(found) or found.table.equals(whole)
    assert told > 200


class RandomStore:
    """A bucket that changes at random: files near each other, and others with many keys between."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance = random.Random(seed)
        self.names = [f"{self.chance.choice(['near', 'far'])}/{number:02d}" for number in range(24)]
        self.objects: dict[str, int] = {}
        for name in self.names:
            self._fill(f"{name}.mp4", name)
            self._fill(f"masks/{name}/00000.png", name)
        self.questions = 0
        monkeypatch.setattr(range_listing, "_page", self._page)

    def _fill(self, key: str, name: str) -> None:
        self.objects[key] = 0
        if name.startswith("far"):
            self.objects |= dict.fromkeys((f"{key}.other/{number:02d}" for number in range(12)), 0)

    def change(self) -> None:
        """Write, remove or add some files."""
        for _ in range(self.chance.randrange(4)):
            name = self.chance.choice(self.names)
            key = self.chance.choice([f"{name}.mp4", f"masks/{name}/00000.png", f"masks/{name}/00007.png"])
            if self.chance.random() < 0.2:
                self.objects.pop(key, None)
            else:
                self.objects[key] = self.objects.get(key, 0) + 1

    def _page(self, bucket: str, after: str, most: int) -> tuple[list[dict[str, Any]], bool]:
        self.questions += 1
        keys = sorted(self.objects)
        start = bisect_right(keys, after)
        stop = start + min(most // 80, 12)  # pages of 12 keys, and short ones of one
        return [{"Key": key, "Size": 1, "ETag": f"{self.objects[key]}"} for key in keys[start:stop]], stop >= len(keys)


def identified(entries: Sequence[Entry], options: VideoOptions, **known: Any) -> Identified:
    return identify(entries, "m", lambda _: options, **known)


@pytest.mark.parametrize("is_first_done", [True, False])
def test_location_of_two_entries_is_asked_for_if_either_needs_it(
    is_first_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RandomStore(0, monkeypatch)
    name = next(name for name in store.names if name.startswith("far"))
    entries = [entry_of(name), replace(entry_of(name), video_id="other", start=5)]
    first = identified(entries, OPTIONS)
    settled = first.items[0 if is_first_done else 1]
    store.objects[f"{name}.mp4"] += 1
    done = {settled.entry.video_id: settled.work_id}
    again = identified(entries, OPTIONS, kept=first.answers, done=done)
    assert again.items == identified(entries, OPTIONS).items


@pytest.mark.parametrize("seed", range(25))
def test_ids_of_a_resume_are_those_that_storage_gives_to_whatever_is_asked_for(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random histories of changes and runs: a believed answer leads to work that is done, and no other id is stale."""
    store = RandomStore(seed, monkeypatch)
    done: dict[str, str] = {}
    believed = 0
    for _ in range(8):
        entries = [entry_of(name) for name in store.names if store.chance.random() < 0.8]
        options = OPTIONS if store.chance.random() < 0.8 else OTHERS
        kept = read_answers(str(tmp_path))
        is_rechecked = store.chance.random() < 0.1
        resumed = identified(entries, options, kept=kept, done={} if is_rechecked else done)
        truth = {item.entry.video_id: item for item in identified(entries, options).items}
        for item, answers in zip(resumed.items, kept.of(entries), strict=True):
            video_id = item.entry.video_id
            if item.is_believed:
                assert not is_rechecked
                assert item.work_id == done[video_id]
                assert any(answers)  # of a location that lies apart
                believed += 1
            else:
                assert item == truth[video_id]
        resumed.answers.write(str(tmp_path))
        done |= {item.entry.video_id: item.work_id for item in resumed.items if store.chance.random() < 0.7}
        store.change()
    assert believed
