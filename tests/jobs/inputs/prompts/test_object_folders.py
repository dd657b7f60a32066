"""A folder for each object: the folders give ids and names, and large overlaps raise."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.errors import PromptError
from tests.jobs.inputs.prompts.kinds import labels_of, prompts_of


def write(path: Path, rows: slice, value: int = 255, columns: slice = slice(2, 12)) -> Path:
    mask = np.zeros((40, 30), np.uint8)
    mask[rows, columns] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)
    return path


def test_named_objects_are_numbered_in_order(tmp_path: Path) -> None:
    for name, rows in (("dog", slice(0, 5)), ("cat", slice(8, 15)), ("a b/", slice(20, 30))):
        write(tmp_path / name / "00003.png", rows)
    prompts = prompts_of(tmp_path)
    assert prompts.names == {1: "a b", 2: "cat", 3: "dog"}
    assert {i: int((prompts.labels[3] == i).sum()) for i in (1, 2, 3)} == {1: 100, 2: 70, 3: 50}


def test_ids_from_0_are_raised_by_1_and_keep_their_name(tmp_path: Path) -> None:
    """SA-V counts from 0, which is the background here."""
    for number, name in enumerate(("000", "001", "007")):
        write(tmp_path / name / "00000.png", slice(10 * number, 10 * number + 5))
    prompts = prompts_of(tmp_path)
    assert np.unique(prompts.labels[0]).tolist() == [0, 1, 2, 8]
    assert prompts.names == {1: "000", 2: "001", 8: "007"}


@pytest.mark.parametrize("value", [1, 7, 255])
def test_any_nonzero_value_is_the_object(value: int, tmp_path: Path) -> None:
    write(tmp_path / "5/00000.png", slice(0, 4), value)
    assert np.unique(labels_of(tmp_path)[0]).tolist() == [0, 5]


def test_rgb_mask_in_white_on_black_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "5/00000.png", slice(0, 4))
    Image.open(path).convert("RGB").save(path)
    assert int((labels_of(tmp_path)[0] == 5).sum()) == 40


def test_empty_mask_is_no_prompt(tmp_path: Path) -> None:
    write(tmp_path / "1/00000.png", slice(0, 4))
    write(tmp_path / "1/00004.png", slice(0, 0))
    assert list(labels_of(tmp_path)) == [0]


def test_first_masks_only_reads_the_first_visible_mask(tmp_path: Path) -> None:
    write(tmp_path / "1/00000.png", slice(0, 0))
    for frame in (4, 8):
        write(tmp_path / f"1/{frame:05d}.png", slice(0, frame))
    assert list(labels_of(tmp_path, first_masks_only=True)) == [4]


@pytest.mark.parametrize("higher", ["9", "10"])
def test_small_overlap_goes_to_the_higher_id(higher: str, tmp_path: Path) -> None:
    """In either order of reading."""
    write(tmp_path / "2/00000.png", slice(0, 20))
    write(tmp_path / higher / "00000.png", slice(19, 39))
    labels = labels_of(tmp_path)[0]
    assert (labels[18, 5], labels[19, 5], labels[20, 5]) == (2, int(higher), int(higher))


@pytest.mark.parametrize(("small", "large"), [("2", "9"), ("9", "2")])
def test_large_overlap_of_the_smaller_mask_raises(small: str, large: str, tmp_path: Path) -> None:
    write(tmp_path / large / "00000.png", slice(0, 40), columns=slice(0, 30))
    write(tmp_path / small / "00000.png", slice(4, 6))
    with pytest.raises(PromptError, match=f"objects . and . overlap on frame 0: 100% of {small}'s is shared"):
        labels_of(tmp_path)


def test_many_small_overlaps_add_up(tmp_path: Path) -> None:
    """Otherwise many masks, each with a small overlap, could cover one completely."""
    write(tmp_path / "1/00000.png", slice(0, 40), columns=slice(0, 20))
    for number in range(8):
        write(tmp_path / f"{number + 2}/00000.png", slice(5 * number, 5 * number + 5), columns=slice(17, 30))
    with pytest.raises(PromptError, match="objects . and . overlap on frame 0"):
        labels_of(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("1", "dog"), "some are numbers, such as 1, and some are not, such as dog; legal: all numbers"),
        (("1", "01"), "two folders are of object 1; legal: one"),
        (("99999999999",), "an object's id is 99999999999; legal: 1 to 2147483647"),
        (("x" * 201,), r"is called 'x+'; legal: 1 to 200 characters"),
        (("a\nb",), r"is called 'a\\nb'; legal: .* that can be shown"),
    ],
)
def test_invalid_folder_names_raise(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    for name in names:
        write(tmp_path / name / "00000.png", slice(0, 4))
    with pytest.raises(PromptError, match=message):
        labels_of(tmp_path)


def test_folder_name_that_is_not_utf_8_raises(tmp_path: Path) -> None:
    """No table could hold it."""
    write(tmp_path / b"dog\xff".decode(errors="surrogateescape") / "00000.png", slice(0, 4))
    with pytest.raises(PromptError, match=r"called 'dog\\udcff'; legal"):
        labels_of(tmp_path)


def test_object_folder_without_masks_raises(tmp_path: Path) -> None:
    write(tmp_path / "1/00000.png", slice(0, 4))
    (tmp_path / "2").mkdir()
    (tmp_path / ".thumbnails").mkdir()
    with pytest.raises(PromptError, match="the folder of object 2 holds no .png"):
        labels_of(tmp_path)


def test_folder_of_videos_is_not_read_as_objects(tmp_path: Path) -> None:
    mask = np.zeros((40, 30), np.uint8)
    mask[:9], mask[20:] = 1, 2
    (tmp_path / "bear").mkdir()
    Image.fromarray(mask).save(tmp_path / "bear/00000.png")
    with pytest.raises(PromptError, match=r"bear/00000.png has the values \[1, 2\] beside 0; legal: one.*of a video"):
        labels_of(tmp_path)
