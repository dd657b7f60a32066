"""With --on-bad-frame repeat, a bad image costs a folder one frame, not its video; all readers see the same."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.errors import DamagedError, PromptError, VideoError
from jobs.inputs.limits import VideoLimits, VideoRequirements
from jobs.inputs.videos.images import VideoFrame
from jobs.inputs.videos.reversed_video import ReversedVideo
from jobs.inputs.videos.video import Video
from jobs.planning.config import SegmentConfig
from jobs.records import Entry, VideoRow
from jobs.segmenting.segment_video import segment_video
from jobs.segmenting.video_prompts import check_inputs
from jobs.segmenting.work_item import VideoOptions, WorkItem
from tests.core.tiny import tiny_model
from tests.jobs.commands.test_reopened_videos import output_of, overlay_of
from tests.jobs.inputs.videos.test_video import HEIGHT, WIDTH, picture
from tests.jobs.segmenting.test_video_notes import mask
from tests.parts import to_end

REPEAT = VideoLimits(on_bad_frame="repeat")


def folder_of(path: Path, count: int = 6) -> Path:
    path.mkdir()
    for t in range(count):
        Image.fromarray(picture(t)).save(path / f"{t}.png")
    return path


def resize(path: Path, height: int, width: int) -> None:
    with Image.open(path) as image:
        image.resize((width, height)).save(path)


def read(path: Path, **options: object) -> tuple[Video, list[VideoFrame]]:
    with Video(path, limits=REPEAT, **options) as video:  # type: ignore[arg-type]
        return video, list(video)


def shown(frames: list[VideoFrame]) -> list[int]:
    """The number of the picture on each frame."""
    return [next(t for t in range(12) if np.array_equal(frame.image, picture(t))) for frame in frames]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


@pytest.mark.parametrize("spoil", [truncate, Path.unlink, lambda path: path.write_bytes(b"no image")])
def test_unreadable_image_is_replaced_by_the_one_before(spoil: object, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "v")
    for t in (2, 3):
        spoil(folder / f"{t}.png")  # type: ignore[operator]
        if not (folder / f"{t}.png").exists():
            (folder / f"{t}.png").symlink_to("nowhere")
    video, frames = read(folder)
    assert shown(frames) == [0, 1, 1, 1, 4, 5]
    assert [(frame.index, frame.name) for frame in frames] == [(t, str(t)) for t in range(6)]
    assert (video.frames_decoded, video.frames_corrupt) == (6, 2)
    assert video.notes == [
        "2 of 6 images cannot be read, or differ in size; the frame before each was repeated: 2.png, 3.png"
    ]


@pytest.mark.parametrize("frame", [0, 3])
def test_prompt_of_an_image_that_is_replaced_is_refused(frame: int, tmp_path: Path) -> None:
    """The network would take the mask for one of the image that stands in."""
    folder = folder_of(tmp_path / "v")
    truncate(folder / f"{frame}.png")
    prompts = tmp_path / "masks"
    prompts.mkdir()
    item = WorkItem(
        entry=Entry(video_id="v", video=str(folder), prompts=str(prompts)),
        options=VideoOptions(requirements=VideoRequirements(REPEAT)),
        work_id="w",
        expected_frames=6,
    )
    mask(prompts / "5.png", (HEIGHT, WIDTH))
    assert to_end(segment_video(item, folder, prompts, model=tiny_model()))[0].status == "done"
    mask(prompts / f"{frame}.png", (HEIGHT, WIDTH))
    with pytest.raises(PromptError, match=rf"frame {frame} is prompted, and its image {frame} cannot be used, so that"):
        to_end(segment_video(item, folder, prompts, model=tiny_model()))
    with pytest.raises(PromptError, match=rf"frame {frame} is prompted"):
        check_inputs(folder, prompts, item)


def test_first_frames_are_replaced_by_the_first_good_one(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "v")
    for t in (0, 1):
        truncate(folder / f"{t}.png")
    video, frames = read(folder)
    assert shown(frames) == [2, 2, 2, 3, 4, 5]
    assert video.frames_corrupt == 2
    assert video.size_claimed == (HEIGHT, WIDTH)


def test_image_of_another_size_than_most_is_replaced_even_if_it_is_the_first(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "v")
    for t in (0, 4):
        resize(folder / f"{t}.png", HEIGHT * 2, WIDTH * 2)
    video, frames = read(folder)
    assert shown(frames) == [1, 1, 2, 3, 3, 5]
    assert (video.frames_corrupt, video.size_claimed) == (2, (HEIGHT, WIDTH))


def test_image_slightly_off_in_size_is_resized_and_is_no_damage(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "v")
    resize(folder / "3.png", HEIGHT, WIDTH + 1)
    resize(folder / "5.png", HEIGHT, WIDTH + 2)
    video, frames = read(folder)
    assert {frame.image.shape[:2] for frame in frames} == {(HEIGHT, WIDTH)}
    assert np.abs(frames[3].image.astype(int) - picture(3)).mean() < 5
    assert np.array_equal(frames[5].image, picture(4))
    assert video.frames_corrupt == 1
    assert video.notes == [
        "1 of 6 images cannot be read, or differ in size; the frame before each was repeated: 5.png",
        "1 of 6 images differ in size by up to 2 %, and were resized: 3.png",
    ]


def test_all_readers_see_the_same_frames(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "v")
    truncate(folder / "3.png")
    resize(folder / "1.png", 9, 9)
    expected = shown(read(folder)[1])
    assert expected == [0, 0, 2, 2, 4, 5]
    assert shown(list(ReversedVideo(folder, last=5, limits=REPEAT))) == expected[::-1]
    assert shown(read(folder, start=3)[1]) == expected[3:]
    video, frames = read(folder, only={1, 2})
    assert (shown(frames), video.frames_corrupt) == (expected[1:3], 1)  # 3 was not read
    output = output_of(folder, (HEIGHT, WIDTH), range(6))
    with pytest.raises(AssertionError, match="changes at frame 1"):
        overlay_of(output, tmp_path / "overlays")


def test_overlay_follows_the_option_of_the_run(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "v")
    truncate(folder / "3.png")
    output = output_of(folder, (HEIGHT, WIDTH), range(6), on_bad_frame="repeat")
    with Video(overlay_of(output, tmp_path / "overlays")) as drawn:
        assert len(list(drawn)) == 6


def test_folder_without_any_good_image_raises(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "v", count=2)
    for path in folder.iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(VideoError, match="none of the folder's 2 images can be read"):
        read(folder)
    with Video(folder, limits=REPEAT) as video:
        assert video.size_claimed is None


def test_many_bad_images_are_named_in_part(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "v", count=30)
    for t in range(12, 24):
        truncate(folder / f"{t}.png")
    assert read(folder)[0].notes[0].endswith("20.png, 21.png, ...")


def test_refusing_is_the_default_and_says_what_to_do(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "v")
    truncate(folder / "3.png")
    with pytest.raises(VideoError, match=r"3\.png cannot be read: .*--on-bad-frame repeat"), Video(folder) as video:
        list(video)
    resize(folder / "1.png", 9, 9)
    with pytest.raises(VideoError, match="changes at frame 1, .*--on-bad-frame repeat"), Video(folder) as video:
        list(video)


def segmented(folder: Path, prompt: Path, *, strict: bool = False) -> VideoRow:
    config = SegmentConfig(manifest="m.csv", output="out", on_bad_frame="repeat", strict=strict)
    entry = Entry(video_id="v", video=str(folder), prompts=str(prompt))
    options = VideoOptions(requirements=config.demands())
    item = WorkItem(entry=entry, options=options, work_id="w", expected_frames=1)
    row: VideoRow = to_end(segment_video(item, folder, prompt, model=tiny_model()))[0]
    return row


def test_row_counts_and_names_the_bad_frames_and_a_strict_run_refuses_them(tmp_path: Path) -> None:
    folder, prompt = folder_of(tmp_path / "v"), mask(tmp_path / "mask.png", (HEIGHT, WIDTH))
    truncate(folder / "3.png")
    row = segmented(folder, prompt)
    assert (row.frames_decoded, row.frames_corrupt) == (6, 1)
    assert "3.png" in "".join(row.notes or ())
    with pytest.raises(DamagedError):
        segmented(folder, prompt, strict=True)
