"""Hostile files open no other file and no connection, run no program, and neither kill the process nor fill memory."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.inputs.access_traps import Canary, OpenedFile, ghostscript
from tests.jobs.inputs.hostile import LINKED, SECRET, SECRET_TEXT, Corpus

ROOT = Path(__file__).parents[3]
MAX_SECONDS = 300  # for the whole corpus, which takes 10
MAX_GROWTH_MB = 200  # the process has 290 before the first file
MAX_PEAK_MB = 1_500
# These files hold pictures, and refer to other files without effect.
HARMLESS = re.compile(
    r"(concat|file|async|cache|data|subfile,+.*|(hls\+|crypto\+)?http|pipe|fd):.*|external-.*|linked-segments.mkv|"
    r"(attachments|tracks).mkv|subtitles.avi|stream-.*|claims-.*-sizes.mp4|frames-of-chunks.png|huge-.*|container-.*|"
    r"frames-of-gif.png/gif.png|(%d|%03d|\*)\.(png|jpg)"
)
NUMBERS = count()
REFUSED = re.compile(r"(VideoError|PromptError): .{12,500}", re.DOTALL)


@dataclass(frozen=True)
class Seen:
    """Observations of a process that read files."""

    rows: list[dict[str, Any]]  # kind, name, became, seconds, peak_mb
    connections: int
    secrets_opened: bool | str  # a str says why it is unknown
    ran_a_program: bool


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    with Canary().listening() as canary:
        yield canary


@pytest.fixture(scope="module")
def corpus(canary: Canary, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("hostile") / "corpus", canary.url)


@pytest.fixture(scope="module")
def seen(corpus: Corpus, canary: Canary) -> Seen:
    """The whole corpus, read by a process of its own."""
    return watch(corpus, canary, [*(("video", n) for n in corpus.videos), *(("prompts", n) for n in corpus.prompts)])


def watch(corpus: Corpus, canary: Canary, items: Iterable[tuple[str, str]]) -> Seen:
    """Read files in a process whose current folder is the corpus."""
    try:
        secret: OpenedFile | None = OpenedFile(corpus.folder / SECRET)
        why_not = ""
    except OSError as error:
        secret, why_not = None, str(error)
    before, ran = canary.connections, ghostscript(corpus.folder.parent / f"programs-{next(NUMBERS)}")
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.jobs.inputs.hostile_reader"],
        input=json.dumps(list(items)), capture_output=True, text=True, timeout=MAX_SECONDS, check=False,
        cwd=corpus.folder, env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{ran.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    assert process.returncode == 0, (
        f"{lines[-1:]} ended the process with {process.returncode}: {process.stderr[-2000:]}"
    )
    rows = [{**item, **outcome} for item, outcome in zip(lines[::2], lines[1::2], strict=True)]
    return Seen(rows, canary.connections - before, secret.was_opened() if secret else why_not, ran.exists())


def test_no_file_opens_a_connection(seen: Seen) -> None:
    assert seen.connections == 0


def test_no_file_opens_another_file(seen: Seen) -> None:
    if isinstance(seen.secrets_opened, str):
        pytest.skip(seen.secrets_opened)
    assert not seen.secrets_opened


def test_no_image_runs_a_program(seen: Seen) -> None:
    assert not seen.ran_a_program


@pytest.mark.parametrize(
    ("name", "trap"),
    [
        ("ffconcat.mp4", "file"),
        ("hls.m3u8", "file"),
        (f"concat:{SECRET}", "file"),
        ("{url}/name.mp4", "server"),
        ("frames-of-eps.png/eps.png", "gs"),
    ],
)
def test_traps_detect_careless_readers(name: str, trap: str, corpus: Corpus, canary: Canary) -> None:
    """Read with the defaults of PyAV and Pillow, hostile files succeed, and the traps notice."""
    seen = watch(corpus, canary, [("careless", name.format(url=canary.url))])
    if trap == "file" and isinstance(seen.secrets_opened, str):
        pytest.skip(seen.secrets_opened)
    assert {"file": seen.secrets_opened, "server": seen.connections, "gs": seen.ran_a_program}[trap]


def test_every_file_is_refused_with_a_reason_or_read_harmlessly(seen: Seen) -> None:
    wrong = [
        (row["name"], row["became"])
        for row in seen.rows
        if not REFUSED.fullmatch(row["became"])
        and not (HARMLESS.fullmatch(row["name"]) and re.fullmatch(r"has \d+ frames", row["became"]))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "name",
    ["huge.mp4", "huge.mkv", "huge.ts", "huge.flv", "huge.asf", "frames-of-between.png", "frames-of-over.png"],
)
def test_too_large_frame_is_refused_with_its_size(name: str, seen: Seen) -> None:
    (row,) = (row for row in seen.rows if row["name"] == name)
    assert re.search(r"\d+x\d+, [0-9,]+ pixels; legal: up to 67,108,864", row["became"])


@pytest.mark.parametrize("name", ["places/pipe.mp4", "places/socket.mp4", "places/zero-mp4/0.mp4", "places/waits-png"])
def test_pipes_sockets_and_devices_are_refused_as_not_regular_files(name: str, seen: Seen) -> None:
    video, prompts = (row for row in seen.rows if row["name"] == name)
    assert "is not a regular file" in video["became"]
    assert "is not a regular file" in prompts["became"]


@pytest.mark.parametrize("claim", ["samples.mp4", "both.mov", "times.mp4", "in-a-fragment.mp4"])
def test_claims_of_absent_frames_are_refused(claim: str, seen: Seen) -> None:
    rows = [row for row in seen.rows if re.fullmatch(f"claims-[0-9]+-{claim}", row["name"])]
    assert len(rows) == 3
    for row in rows:
        assert re.search(r"claim [0-9,]+ bytes of samples|has [0-9,]+ frames; legal: up to 1,000,000", row["became"])


def test_no_file_grows_memory_beyond_the_limit(seen: Seen) -> None:
    peaks = [row["peak_mb"] for row in seen.rows]
    grown = {row["name"]: row["peak_mb"] - before for before, row in zip(peaks, seen.rows[1:], strict=False)}
    assert peaks[-1] - peaks[0] < MAX_GROWTH_MB, sorted(grown.items(), key=lambda item: -item[1])[:5]


@pytest.mark.heavy
def test_memory_for_a_repeating_edit_list_is_bounded(corpus: Corpus, canary: Canary) -> None:
    """Without the limit on FFmpeg's allocations, the index would take 3.1 GB."""
    (row,) = watch(corpus, canary, [("video", "repeats.mp4")]).rows
    assert row["peak_mb"] < MAX_PEAK_MB


def test_no_message_quotes_the_content_of_a_linked_file(seen: Seen) -> None:
    """Symbolic links are followed, since data sets are full of them; here they lead to a text, which is not a video."""
    linked = [row for row in seen.rows if "/link-" in row["name"]]
    assert len(linked) == 16
    assert not any(SECRET_TEXT in row["became"] for row in seen.rows), LINKED
