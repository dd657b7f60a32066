"""A work id changes with everything that the masks depend on, and with nothing else."""

import dataclasses
import os
from pathlib import Path
from typing import Any, get_args

import pytest

from jobs.inputs.content_version import current_version
from jobs.inputs.limits import OnBadFrame, VideoLimits, VideoRequirements
from jobs.inputs.prompts.leniency import Leniency
from jobs.planning import identity
from jobs.planning.identity import identify
from jobs.records import Entry
from jobs.segmenting.scene_clips import ClipOptions
from jobs.segmenting.work_item import VideoOptions
from stcn_core.config import PropagationConfig


def default(_: Entry) -> VideoOptions:
    return VideoOptions()


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    (tmp_path / "v.mp4").write_bytes(b"video" * 10_000)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/00000.png").write_bytes(b"mask")
    return Entry(video_id="v", video=f"{tmp_path}/v.mp4", prompts=f"{tmp_path}/masks")


def work_id(entry: Entry, model: str = "digest", **options: object) -> str:
    return of_options(entry, model, propagation=PropagationConfig(**options))  # type: ignore[arg-type]


def of_options(entry: Entry, model: str = "digest", **options: Any) -> str:
    return identify([entry], model, lambda _: VideoOptions(**options)).items[0].work_id


def test_equal_content_has_equal_work_ids(entry: Entry) -> None:
    assert work_id(entry) == work_id(entry)
    assert work_id(entry) == work_id(entry, key_batch=1, decode_batch=1)


def test_changed_video_prompt_model_or_option_changes_the_work_id(entry: Entry) -> None:
    before = work_id(entry)
    others = [work_id(entry, model="other"), work_id(entry, memory_every=3), work_id(entry, short_side=None)]
    others += [work_id(entry, direction="both"), work_id(entry, direction="backward")]
    others.append(identify([entry], "digest", default, precision="float32").items[0].work_id)
    others += [
        of_options(entry, clips=options) for options in (ClipOptions(on_cut="split"), ClipOptions(cycle_check=True))
    ]
    others.append(work_id(Entry(video_id=entry.video_id, video=entry.video, prompts=entry.prompts, end=5)))
    others.append(work_id(Entry(video_id=entry.video_id, video=entry.video, prompts=entry.prompts, removals=((1, 5),))))
    others.append(work_id(Entry(video_id=entry.video_id, video=entry.video, prompts=entry.prompts, void=255)))
    others += [
        work_id(dataclasses.replace(entry, **{name: value}))  # type: ignore[arg-type]
        for name, value in (("first_frame", 1), ("mask_names", "{frame}"), ("mask_names", "{object}/{frame}"))
    ]
    others += [
        of_options(entry, leniency=options)
        for options in (Leniency(on_bad_annotation="skip"), Leniency(overlap="later"), Leniency(overlap="first"))
    ]
    Path(entry.prompts, "00005.png").write_bytes(b"another mask")
    others.append(work_id(entry))
    Path(entry.prompts, "dog").mkdir()
    Path(entry.prompts, "dog/00000.png").write_bytes(b"of one object")
    others.append(work_id(entry))
    Path(entry.prompts, "dog").rename(Path(entry.prompts, "cat"))
    others.append(work_id(entry))
    Path(entry.prompts, "cat/00000.png").write_bytes(b"of another object")
    others.append(work_id(entry))
    Path(entry.video).write_bytes(b"another video")
    others.append(work_id(entry))
    Path(entry.video).unlink()
    others.append(work_id(entry))
    assert len({before, *others}) == 1 + len(others)


def test_similarity_changes_the_work_id_only_if_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs from before the option existed must resume; the expected id was computed without it."""
    monkeypatch.chdir(tmp_path)
    Path("archive/masks").mkdir(parents=True)
    files = {"archive/v.mp4": b"video" * 10_000, "archive/masks/00000.png": b"mask"}
    for name, content in files.items():
        Path(name).write_bytes(content)
        os.utime(name, (1_700_000_000, 1_700_000_000))
    items = [Entry(video_id="v", video="archive/v.mp4", prompts="archive/masks")]
    own, l2, cosine = (
        identify(items, "digest", default, similarity=name).items[0].work_id for name in (None, "l2", "cosine")
    )
    assert own == "161e60383b353f477b90688a0ed24e66"
    assert len({own, l2, cosine}) == 3


def test_repeated_bad_frames_change_the_work_id_and_refused_ones_do_not(entry: Entry) -> None:
    """Outputs from before the option existed must resume."""
    refused, repeated = (
        of_options(entry, requirements=VideoRequirements(VideoLimits(on_bad_frame=value)))
        for value in get_args(OnBadFrame)
    )
    assert refused == work_id(entry)
    assert repeated != refused


def test_impossible_location_does_not_stop_other_videos(entry: Entry, tmp_path: Path) -> None:
    strange = [
        Entry(video_id=name, video=f"{tmp_path}/{'x' * 300}.mp4", prompts=entry.prompts) for name in ("long", "longer")
    ]
    items = identify([entry, *strange], "", default).items
    assert [item.entry.video_id for item in items] == ["v", "long", "longer"]


def test_expected_frames_depend_on_file_size_and_window(entry: Entry) -> None:
    def frames(start: int, end: int | None) -> int:
        windowed = Entry(video_id="v", video=entry.video, prompts=entry.prompts, start=start, end=end)
        return identify([windowed], "", default).items[0].expected_frames

    assert frames(0, None) == 10
    assert frames(4, 7) == 3
    assert frames(0, 5000) == 10
    assert frames(50, None) == 1


def test_item_has_the_version_of_its_video_that_readers_compare(entry: Entry) -> None:
    (item,) = identify([entry], "digest", default).items
    assert item.video_version == current_version(entry.video)
    Path(entry.video).write_bytes(b"other")
    assert item.video_version != current_version(entry.video)
    (lost,) = identify([dataclasses.replace(entry, video="/none.mp4")], "digest", default).items
    assert lost.video_version is None


@pytest.mark.heavy
def test_many_entries_are_identified_side_by_side_with_the_same_ids(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [dataclasses.replace(entry, video_id=name, start=number) for number, name in enumerate("edcba")]
    entries.append(dataclasses.replace(entry, video_id="lost", video=f"{tmp_path}/a.mp4"))
    options = {e.video_id: VideoOptions(clips=ClipOptions(cycle_check=e.video_id in "ab")) for e in entries}
    alone = identify(entries, "digest", lambda e: options[e.video_id]).items
    monkeypatch.setattr(identity, "AT_ONCE", 2)
    assert identify(entries, "digest", lambda e: options[e.video_id]).items == alone
    assert [item.entry.video_id for item in alone] == [*"edcba", "lost"]
    assert [item.not_found for item in alone] == [()] * 5 + [("video",)]


def test_hidden_files_do_not_change_the_version_of_a_folder(entry: Entry) -> None:
    """A Mac leaves .DS_Store in each folder that it shows."""
    before = current_version(entry.prompts)
    Path(entry.prompts, ".DS_Store").write_bytes(b"view")
    assert current_version(entry.prompts) == before
    Path(entry.prompts, "00001.png").write_bytes(b"image")
    assert current_version(entry.prompts) != before
