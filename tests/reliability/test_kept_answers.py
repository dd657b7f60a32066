"""A resumed run asks storage again for whatever is cheap to ask for, or not done; --recheck asks for all."""

import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from jobs.io import range_listing, storage
from jobs.ledger.ledger import ATTEMPTS, Commit
from jobs.outputs import store
from jobs.planning.config import SegmentConfig
from jobs.planning.job import Job, prepare_job
from jobs.planning.kept_answers import FILE
from jobs.records import ShardWritten, Status, VideoRow
from jobs.run.plan_report import describe_believed
from jobs.segmenting.work_item import WorkItem
from tests.jobs.outputs.test_store import rows as mask_rows
from tests.stores.faults import FaultProxy

PAGE, SHORT_PAGE = 20, 15  # keys of a listing, in place of a thousand and a hundred
NEAR, FAR = tuple(f"near/{n}" for n in range(6)), tuple(f"far/{n}/v" for n in range(4))
ME = {"user": "me", "host": "here", "pid": 1, "since": "today"}


class Archive:
    """Videos in S3, some beside each other and some with many keys between, and runs on them that segment nothing."""

    def __init__(self, bucket: str, folder: Path, model: Path) -> None:
        self.bucket, self.output, self._folder, self._model = bucket, str(folder / "out"), folder, model
        for name in (*NEAR, *FAR):
            self.change(name)
            storage.write(f"{bucket}/{name}.png", b"mask")
        for name in FAR:
            for number in range(PAGE + 5):
                storage.write(f"{bucket}/{name}.x/{number:02d}", b"")
        self._runs = 0

    def change(self, *names: str) -> None:
        """Write videos anew."""
        for name in names:
            storage.write(f"{self.bucket}/{name}.mp4", random.randbytes(20))

    def plan(self, names: Collection[str] = (*NEAR, *FAR), **options: Any) -> Job:
        """What `stcn plan` does, with a manifest of these videos."""
        lines = [f"{name},{self.bucket}/{name}.mp4,{self.bucket}/{name}.png" for name in names]
        manifest = self._folder / f"m{len(lines)}.csv"
        manifest.write_text("\n".join(["video_id,video,prompts", *lines]))
        config = SegmentConfig(manifest=str(manifest), output=self.output, model=str(self._model), **options)
        return prepare_job(config).without_lost()[0]

    def run(
        self, names: Collection[str] = (*NEAR, *FAR), *, only: Collection[str] | None = None, status: Status = "done",
        **options: Any,
    ) -> Job:  # fmt: skip
        """What a run does with storage. only: videos that get an outcome; None: all that are missing."""
        job, self._runs = self.plan(names, **options), self._runs + 1
        job.ledger.begin(str(self._runs), ME)
        job, _ = job.without_lost()
        job.write_answers()
        job.write_table()
        rows = [row_of(item, status) for item in job.todo() if only is None or item.entry.video_id in only]
        if rows:
            attempt = f"{ATTEMPTS}/{self._runs}/a"
            job.ledger.commit([Commit(attempt, rows, self._masks(attempt, rows) if status == "done" else None)])
        return job

    def _masks(self, attempt: str, rows: list[VideoRow]) -> ShardWritten:
        with store.MaskWriter(self._folder / "masks.parquet") as writer:
            for row in sorted(rows, key=lambda row: row.video_id):
                writer.add(store.masks_table(mask_rows(row.video_id, 4)))
        content = (self._folder / "masks.parquet").read_bytes()
        location = f"{self.output}/{attempt}/masks.parquet"
        storage.write(location, content)
        return ShardWritten(location, len(content), storage.sha256(content))


def row_of(item: WorkItem, status: Status) -> VideoRow:
    return VideoRow(
        video_id=item.entry.video_id, work_id=item.work_id, status=status, video=item.entry.video,
        prompts=item.entry.prompts, masks=4, error_class="VideoError" if status == "quarantined" else None,
    )  # fmt: skip


@pytest.fixture
def archive(
    bucket: str, model_file: Path, tmp_path: Path, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> Archive:
    monkeypatch.setattr(range_listing, "PAGE", PAGE)
    monkeypatch.setattr(range_listing, "SHORT_PAGE", SHORT_PAGE)
    return Archive(bucket, tmp_path, model_file)


def todo(job: Job) -> list[str]:
    return sorted(item.entry.video_id for item in job.todo())


def ids(job: Job) -> dict[str, str]:
    return {item.entry.video_id: item.work_id for item in job.items}


def asked_from_nothing(archive: Archive, **options: Any) -> dict[str, str]:
    """The work ids that a run has which knows nothing of earlier ones."""
    return ids(archive.plan(recheck=True, **options))


def requests(proxy: FaultProxy, archive: Archive, **options: Any) -> int:
    """How many requests a plan takes; the output is on local disk."""
    before = len(proxy.requests)
    archive.plan(**options)
    return len(proxy.requests) - before


def test_resume_asks_by_a_page_for_those_together_and_not_for_those_apart(archive: Archive, proxy: FaultProxy) -> None:
    first = requests(proxy, archive)
    assert archive.run().believed() == 0
    assert requests(proxy, archive) == 1
    assert requests(proxy, archive, recheck=True) == first == 1 + len(FAR)
    again = archive.plan()
    assert (todo(again), again.believed(), again.counts()["done"]) == ([], len(FAR), len(FAR) + len(NEAR))
    assert describe_believed(again.believed(), again.counts()["done"]).startswith(
        "4 of 10 done videos lie apart from others in storage and were not asked for again; --recheck"
    )
    assert ids(again) == asked_from_nothing(archive)


def test_change_of_a_done_video_among_others_is_found(archive: Archive) -> None:
    archive.run()
    archive.change(NEAR[2])
    assert todo(archive.plan()) == [NEAR[2]]


def test_change_of_a_done_video_that_lies_apart_is_found_by_recheck_alone(archive: Archive) -> None:
    archive.run()
    archive.change(FAR[2])
    storage.write(f"{archive.bucket}/{FAR[3]}.png", b"another mask")
    assert todo(archive.plan()) == []
    assert todo(archive.plan(recheck=True)) == [FAR[2], FAR[3]]
    archive.run(recheck=True)
    archive.change(FAR[1])
    assert (todo(archive.plan()), archive.plan().believed()) == ([], 4)


def test_videos_apart_that_are_not_done_are_asked_for_again(archive: Archive, proxy: FaultProxy) -> None:
    archive.run(only=(*NEAR, *FAR[:2]))
    archive.run(only=FAR[2:3], status="quarantined")
    archive.change(*FAR)
    assert requests(proxy, archive) == 1 + 2
    again, truth = archive.plan(), asked_from_nothing(archive)
    assert todo(again) == [FAR[2], FAR[3]]  # the one in quarantine was mended
    assert [ids(again)[name] == truth[name] for name in FAR] == [False, False, True, True]


@pytest.mark.parametrize("options", [{"redo": [FAR[1]]}, {"short_side": 240}])
def test_work_that_is_done_again_is_asked_for(options: dict[str, Any], archive: Archive) -> None:
    """Its id must be of what the actor will find."""
    archive.run()
    archive.change(FAR[1])
    again, truth = archive.plan(**options), asked_from_nothing(archive, **options)
    assert FAR[1] in todo(again)
    assert {name: ids(again)[name] for name in todo(again)} == {name: truth[name] for name in todo(again)}


def test_video_whose_masks_are_lost_is_asked_for(archive: Archive) -> None:
    archive.run(FAR[:2])
    archive.change(FAR[0])
    (masks,) = Path(archive.output, "masks").iterdir()
    masks.unlink()
    again, truth = archive.plan(), asked_from_nothing(archive)
    assert {FAR[0], FAR[1]} <= set(todo(again))
    assert ids(again) == truth


def test_video_that_another_run_has_changed_meanwhile_is_asked_for(archive: Archive) -> None:
    archive.run()
    job = archive.plan()
    assert job.believed() == len(FAR)
    archive.change(FAR[0])
    archive.run(recheck=True)
    job.ledger.refresh()
    job, _ = job.without_lost()
    assert (todo(job), ids(job)) == ([], asked_from_nothing(archive))


def test_page_that_is_asked_for_others_shows_what_was_asked_for_alone(archive: Archive) -> None:
    """A video that was tried first, by itself, lay apart from nothing that the run knew of."""
    archive.run(NEAR[2:3])
    assert archive.plan(NEAR[2:3]).believed() == 1
    archive.change(NEAR[2])
    assert NEAR[2] in todo(archive.plan())
    archive.run()
    assert archive.plan(NEAR[2:3]).believed() == 0


def test_answers_on_videos_of_other_manifests_are_kept(archive: Archive) -> None:
    archive.run()
    archive.run(NEAR)
    archive.run(FAR[:1])
    assert archive.plan().believed() == len(FAR)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut off", "of another run"])
def test_file_of_answers_that_is_damaged_or_old_makes_a_run_ask(
    damage: str, archive: Archive, proxy: FaultProxy
) -> None:
    first = requests(proxy, archive)
    archive.run(short_side=240)
    file = Path(archive.output, FILE)
    before = file.read_bytes()
    archive.change(*FAR)
    archive.run(recheck=True)
    content = {"empty": b"", "cut off": file.read_bytes()[:-50], "of another run": before}
    file.unlink()
    if damage != "missing":
        file.write_bytes(content[damage])
    assert requests(proxy, archive) == first
    again = archive.plan()
    assert (again.believed(), todo(again), ids(again)) == (0, [], asked_from_nothing(archive))


def test_plan_writes_nothing_and_a_resume_leaves_the_file_as_it_is(archive: Archive) -> None:
    archive.plan()
    assert not Path(archive.output).exists()
    archive.run()
    file = Path(archive.output, FILE)
    written = file.stat().st_mtime_ns, file.stat().st_ino
    archive.run()
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == written
