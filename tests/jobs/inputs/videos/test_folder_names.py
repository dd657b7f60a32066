"""Masks and other cameras' frames beside the frames of a folder are refused, not read as frames."""

from pathlib import Path

import pytest
from PIL import Image

from jobs.errors import VideoError
from jobs.inputs.videos.reversed_video import ReversedVideo
from tests.jobs.inputs.videos.test_video import picture, read


def folder_of(path: Path, *names: str) -> Path:
    for t, name in enumerate(names):
        Image.fromarray(picture(t)).save(path / name)
    return path


@pytest.mark.parametrize(
    ("names", "examples"),
    [
        (("00000.jpg", "00000.png", "00001.jpg", "00001.png"), r"00000.jpg and 00000.png; 00001.jpg and 00001.png"),
        (("00000.jpg", "00000_mask.png", "00001.jpg"), r"00000.jpg and 00000_mask.png"),
        (("left_001.jpg", "right_001.jpg"), r"left_001.jpg and right_001.jpg"),
        (("frame_1.png", "frame_01.png"), r"frame_01.png and frame_1.png"),
        (("a.jpg", "a.png"), r"a.jpg and a.png"),
        (("0.jpg", "1.jpg", "mask.png"), r"0.jpg and mask.png"),
        (("0.jpg", "0.JPG"), r"0.JPG and 0.jpg|0.jpg and 0.JPG"),
    ],
)
def test_images_that_are_not_frames_of_one_video_are_refused(
    names: tuple[str, ...], examples: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, *names)
    for reader in (read, lambda path: list(ReversedVideo(path, last=0))):
        with pytest.raises(VideoError, match=rf"the folder holds images .*\(({examples})\); legal: .* `prompts` names"):
            reader(folder)


def test_many_refused_names_are_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, *(f"{t}{part}.png" for t in range(6) for part in ("", "_mask")))
    with pytest.raises(VideoError, match="2.png and 2_mask.png; 3 more"):
        read(folder)


@pytest.mark.parametrize(
    "names",
    [
        ("frame9.jpg", "frame10.jpg"),
        ("a.jpg", "b.jpg"),
        ("0.jpg", "1.JPG", "2.jpeg", "3.png"),
        ("clip_1_001.png", "clip_1_002.png"),
        ("0.5.png", "1.5.png", "1.25.png"),
        ("only.png",),
    ],
)
def test_frames_of_one_video_are_read(names: tuple[str, ...], tmp_path: Path) -> None:
    folder_of(tmp_path, *names)
    Image.fromarray(picture(0)).save(tmp_path / ".0_mask.png")  # hidden
    (tmp_path / "0_mask.json").write_text("no image")
    assert read(tmp_path)[0].frames_decoded == len(names)
