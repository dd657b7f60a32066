"""Promise: the whole job, by its command and with real Ray, rides out what passes, and ends cleanly where storage is
gone, credentials expire or a disk is full: no good video is quarantined, and the same command goes on from there."""

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import s3fs

from jobs.io import storage
from jobs.planning.run_record import read_video_rows
from tests.lengths import short_and_long
from tests.parts import VIDEOS, in_cluster, ray_head, stcn
from tests.reliability.disks import pages_of, small_disk
from tests.reliability.small_run import check_readers, digest, verified
from tests.stores import faults
from tests.stores.faults import Fault, FaultProxy, Flipped, LostReply, Reset, Stall, Truncated, only
from tests.stores.faults.rules import Match, anything

GOOD = {video.video_id for video in VIDEOS if not video.broken}
BROKEN = {video.video_id for video in VIDEOS if video.broken}
CREDENTIALS = "give valid credentials and run the same command again$"  # at once: not after a shard's three tries
ROOM = "make room and run the same command"
Run = Callable[..., "tuple[int, str]"]


@pytest.fixture(scope="module")
def faulty_cluster(s3_endpoint: str) -> Iterator[tuple[str, FaultProxy]]:
    """The address of a Ray cluster that reaches the store through a proxy, as does all else in this module."""
    with FaultProxy(s3_endpoint) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", proxy.url)
        s3fs.S3FileSystem.clear_instance_cache()
        with ray_head(in_cluster("")) as (address, _):
            yield address, proxy
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def proxy(faulty_cluster: tuple[str, FaultProxy]) -> Iterator[FaultProxy]:
    """The module's, without the faults of other tests."""
    yield faulty_cluster[1]
    faulty_cluster[1].clear()


@pytest.fixture(scope="module")
def segment(model_file: Path, faulty_cluster: tuple[str, FaultProxy]) -> Run:
    """The command: its exit code, and what it said. With `settings` for actors it starts a Ray of its own."""

    def run(manifest: str | Path, output: str | Path, patience: float = 60, **settings: str) -> tuple[int, str]:
        environment = in_cluster("" if settings else faulty_cluster[0]) | settings
        result = stcn(
            "segment", manifest, output, "--model", model_file, "--actors", "1", "--threads-per-actor", "1",
            "--frames-per-shard", "1", "--storage-patience", str(patience), env=environment,
        )  # fmt: skip
        assert "Traceback" not in result.stderr
        return result.returncode, result.stderr

    return run


@pytest.fixture(scope="module")
def undisturbed(segment: Run, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that nothing happens to."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    assert segment(archive / "manifest.csv", output)[0] == 3
    return output


@pytest.fixture
def manifest(archive: Path, bucket: str) -> str:
    """The archive in a bucket."""
    for path in archive.rglob("*"):
        if path.is_file() and "truth" not in path.parts:
            storage.write(f"{bucket}/{path.relative_to(archive)}", path.read_bytes())
    return f"{bucket}/manifest.csv"


def done(output: str) -> set[str]:
    """The videos that are done. Readers see no damage, and none but the broken video is quarantined."""
    check_readers(output)
    verified(output)
    rows = read_video_rows(output)
    assert {row.video_id for row in rows if row.status == "quarantined"} <= BROKEN
    return {row.video_id for row in rows if row.status == "done"}


def reads_of_videos(method: str, path: str) -> bool:
    return path.endswith(".mp4")


def downloads_of_videos(method: str, path: str) -> bool:
    """By actors: the driver only asks for a video's head."""
    return method == "GET" and reads_of_videos(method, path)


def after_a_commit(matching: Match) -> Match:
    """Matches from when masks have been published."""
    published: list[str] = []

    def matches(method: str, path: str) -> bool:
        if method == "PUT" and "/masks/" in path:
            published.append(path)
            return False
        return bool(published) and matching(method, path)

    return matches


def test_job_with_a_twentieth_of_requests_failing_gives_the_undisturbed_masks(
    segment: Run, undisturbed: Path, manifest: str, bucket: str, proxy: FaultProxy
) -> None:
    anywhere: list[Fault] = [faults.SLOW_DOWN, faults.INTERNAL_ERROR, Reset(), LostReply(), Stall(seconds=1)]
    in_bodies: list[Fault] = [Truncated(after=3), Flipped(at=3)]
    before = len(proxy.requests)
    for seed, fault in enumerate(anywhere):
        proxy.inject(fault, probability=0.01, seed=seed)
    for seed, fault in enumerate(in_bodies):
        proxy.inject(fault, only("GET"), probability=0.02, seed=seed)
    code, said = segment(manifest, f"{bucket}/out")
    hit = [request.fault for request in proxy.requests[before:] if request.fault]
    assert code == 3, said
    assert len(hit) >= 5
    assert len(set(hit)) >= 3
    assert digest(f"{bucket}/out") == digest(str(undisturbed))
    verified(f"{bucket}/out")


# The last: videos that are done by then, at least. The next may have been downloaded before the trouble began.
TROUBLES: list[tuple[str, Fault, Callable[[], Match], str, int]] = [
    ("the videos are out of reach", faults.SLOW_DOWN, lambda: after_a_commit(reads_of_videos),
     "storage failed for 5 videos in a row.*the same command goes on from there", 1),
    ("credentials expire", faults.EXPIRED_TOKEN, lambda: after_a_commit(anything), CREDENTIALS, 2),
    ("the key is revoked", faults.UNKNOWN_KEY, lambda: downloads_of_videos, CREDENTIALS, 2),
    ("the bucket is full", faults.STORAGE_FULL, lambda: after_a_commit(lambda method, _: method == "PUT"), ROOM, 3),
]  # fmt: skip


@short_and_long("troubles", short=[1], long=[len(TROUBLES)])
def test_storage_trouble_ends_the_run_and_the_same_command_resumes(
    troubles: int, segment: Run, undisturbed: Path, manifest: str, bucket: str, proxy: FaultProxy
) -> None:
    for name, fault, matching, message, num_done in TROUBLES[:troubles]:
        proxy.inject(fault, matching())
        code, said = segment(manifest, f"{bucket}/out", patience=0.5)
        proxy.clear()
        assert code == 1, name
        assert re.search(message, said.splitlines()[-1]), (name, said)
        assert num_done <= len(done(f"{bucket}/out")) < len(GOOD), (name, said)
    assert segment(manifest, f"{bucket}/out")[0] == 3
    assert done(f"{bucket}/out") == GOOD
    assert digest(f"{bucket}/out") == digest(str(undisturbed))


@short_and_long("disks", short=["of the output"], long=["of the output, then of temporary files"])
def test_full_disk_ends_the_run_and_freeing_space_lets_it_resume(
    disks: str, segment: Run, undisturbed: Path, archive: Path, tmp_path: Path
) -> None:
    """The output's disk is full in the middle of the run; in the long form so is the actor's temporary folder later."""
    manifest = archive / "manifest.csv"
    with small_disk(tmp_path / "disk", 3 * pages_of(undisturbed) // 4) as disk:
        output = str(disk.path / "out")
        code, said = segment(manifest, output)
        assert code == 1
        assert re.search(f"No space left on device; {ROOM} again: '{output}/", said.splitlines()[-1]), said
        assert 0 < len(before := done(output)) < len(GOOD)
        disk.resize(10_000)
        if "temporary files" in disks:
            with small_disk(tmp_path / "scratch", 1) as scratch:
                code, said = segment(manifest, output, TMPDIR=str(scratch.path), RAY_TMPDIR=tempfile.gettempdir())
                assert code == 1
                told = f"No space left on device; {ROOM} again: '{scratch.path}/"
                assert re.search(told, said.splitlines()[-1]), said
            assert done(output) == before
        assert segment(manifest, output)[0] == 3
        assert done(output) == GOOD
        assert digest(output) == digest(str(undisturbed))
