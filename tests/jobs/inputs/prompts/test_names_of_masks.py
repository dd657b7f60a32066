"""Names of masks are read as one, or refused with the readings that are possible and how to choose one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.errors import PromptError
from jobs.inputs.prompts.names.mask_name_pattern import MaskNamePattern
from jobs.outputs.label_maps import to_image
from tests.jobs.inputs.prompts.kinds import KINDS, coco_json, labels_of, prompts_of, write_json

LABELS = np.zeros((6, 8), np.int32)
LABELS[1:3, 1:4] = 1


def masks(folder: Path, *names: str, value: int = 1) -> Path:
    """A folder of masks, each of one object."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((LABELS * value).astype(np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        (("00003", "mask7", "img_12"), [3, 7, 12]),
        (("cam2_00003", "cam2_00012"), [3, 12]),
        (("2024-01-05_0003", "2024-01-05_0012"), [3, 12]),
        (("frame_00003_label1", "frame_00012_label2"), [3, 12]),
        (("take2_frame7_v3",), [7]),
        (("v_00007",), [7]),  # of the video "v"
        (("clip9.mp4_00003",), [3]),
        (("label_00003", "obj_00012"), [3, 12]),
        (("clip9_00007",), [7]),  # of the video's file, clip9.mp4
        (("clip9_mp4-0003_jpg.rf.8b1f0c2de95a", "clip9_mp4-0004_jpg.rf.0123456789ab"), [3, 4]),
        (("clip_7_00003_png.rf.8b1f0c2d", "clip_7_00012_png.rf.00112233"), [3, 12]),
    ],
)
def test_names_with_one_reading_give_frames(names: tuple[str, ...], frames: list[int], tmp_path: Path) -> None:
    assert list(labels_of(masks(tmp_path, *names), video="clips/clip9.mp4")) == frames


@pytest.mark.parametrize(
    ("names", "readings"),
    [
        (("00003_label1",), "00003 or 1"),
        (("00003_label1", "00003_label2"), "00003 or 1"),
        (("cam2_00003",), "2 or 00003"),
        (("cam2_00003", "00005"), "2 or 00003"),
        (("00003_1", "00012_2"), "00003 or 1"),
        (("mask_0_1", "mask_0_2"), "0 or 1"),
        (("3_obj1", "3_obj2"), "3 or 1"),
        (("cam2_obj1", "cam2_obj2"), "2 or 1"),
        (("1.5", "2.5"), "1 or 5"),
        (("clip_mp4-0003_jpg.rf.8b1f0c2de95a",), "4 or 0003"),
        (("0003.8b1f",), "0003 or 8 or 1"),
    ],
)
def test_names_with_several_readings_are_refused(names: tuple[str, ...], readings: str, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=f"has several numbers, and its frame may be {readings}.*mask_names"):
        labels_of(masks(tmp_path, *names), video="clips/clip9.mp4")


@pytest.mark.parametrize(
    ("pattern", "names", "expected"),
    [
        ("*_{frame}", ("cam2_00003",), {3: [1]}),
        ("{frame}_label*", ("00003_label1", "00012_label1"), {3: [1], 12: [1]}),
        ("{frame}_label{object}", ("00003_label1", "00003_label2", "00012_label2"), {3: [1, 2], 12: [2]}),
        ("{frame}/{object}", ("00000/1", "00008/1"), {0: [1], 8: [1]}),
        ("{object}/{frame}", ("00000/1", "00008/1"), {1: [1, 9]}),  # ids from 0 are read one higher
        ("{object}_{frame}", ("dog_3", "cat_3", "cat_5"), {3: [1, 2], 5: [1]}),
        ("obj_{object}", ("obj_1", "obj_2"), {0: [1, 2]}),  # of the first segmented frame
        ("cam_{frame}.png", ("cam_3",), {3: [1]}),
    ],
)
def test_mask_names_choose_the_reading(
    pattern: str, names: tuple[str, ...], expected: dict[int, list[int]], tmp_path: Path
) -> None:
    for number, name in enumerate(names):  # masks of one frame do not overlap
        labels = np.zeros((12, 8), np.uint8)
        labels[2 * number : 2 * number + 2] = 255
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(labels).save(tmp_path / f"{name}.png")
    if "{object}" not in pattern:
        masks(tmp_path, *names)
    found = labels_of(tmp_path, mask_names=pattern)
    assert {frame: np.unique(m[m > 0]).tolist() for frame, m in found.items()} == expected


def test_a_name_that_does_not_fit_mask_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"mask 00003.png does not fit mask_names, which is cam_\{frame\}"):
        labels_of(masks(tmp_path, "00003"), mask_names="cam_{frame}")
    with pytest.raises(PromptError, match=r"holds no .png 1 folders deep, where mask_names \{object\}/\{frame\} says"):
        labels_of(tmp_path, mask_names="{object}/{frame}")


@pytest.mark.parametrize(
    "pattern", ["", "frame", "*", "{frame}{frame}", "{frame}_{id}", "{frame", "a/{object}/{frame}"]
)
def test_pattern_without_one_frame_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="legal: a mask's path below prompts"):
        MaskNamePattern(pattern)


@pytest.mark.parametrize(
    "names",
    [
        ("00008/1",),
        ("00000/1", "00008/1"),
        ("0/1", "8/1", "8/2"),
        ("frame_8/1",),
        ("0008/001", "0012/001"),
        ("0/0", "8/0"),
        ("00000/00001", "00008/00001"),
        ("0/1", "1/1"),
        ("0/1", "0/2"),
    ],
)
def test_folders_that_may_be_frames_are_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"may be an object with a mask of frame .*mask_names: \{object\}/\{frame\}"):
        labels_of(masks(tmp_path, *names))


@pytest.mark.parametrize(
    "names", [("000/00000", "001/00000"), ("1/0", "2/0"), ("3/0",), ("1/1", "2/1"), ("dog/8",), ("3/00000", "7/00000")]
)
def test_folders_of_objects_stay_legal(names: tuple[str, ...], tmp_path: Path) -> None:
    for number, name in enumerate(names):
        mask = np.zeros((9, 8), np.uint8)
        mask[3 * number : 3 * number + 3] = 255
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    (labels,) = labels_of(tmp_path).values()
    assert len(np.unique(labels)) == 1 + len(names)


@pytest.mark.parametrize(("name", "names"), [("00008", None), ("frame_8", None), ("7", None), ("b", ["a", "b"])])
def test_single_mask_named_like_another_frame_is_refused(name: str, names: list[str] | None, tmp_path: Path) -> None:
    path = masks(tmp_path, name) / f"{name}.png"
    frame = 1 if names else int(name.rpartition("_")[2])
    with pytest.raises(
        PromptError, match=f"called like frame {frame}, and a single mask is of the first .*start {frame}"
    ):
        labels_of(path, names)
    assert list(labels_of(path, names, start=frame)) == [frame]


@pytest.mark.parametrize("name", ["first", "street2", "v", "mask1", "00000"])
def test_single_mask_of_another_name_is_of_the_first_frame(name: str, tmp_path: Path) -> None:
    assert list(labels_of(masks(tmp_path, name) / f"{name}.png")) == [0]


def test_first_frame_is_the_number_that_names_give_it(tmp_path: Path) -> None:
    assert list(labels_of(masks(tmp_path, "00001", "00012"), first_frame=1, frames=12)) == [0, 11]
    with pytest.raises(
        PromptError, match=r"frame 12 \(00012.png\), and the video has 12 frames, 0 to 11. Do the names"
    ):
        labels_of(tmp_path, frames=12)
    with pytest.raises(
        PromptError, match=r"00001.png is of number 1, and first_frame says that the names begin with 2"
    ):
        labels_of(tmp_path, first_frame=2)
    with pytest.raises(PromptError, match="folder of images, whose names say the frames; legal: first_frame of video"):
        labels_of(tmp_path, ["00001", "00012"], first_frame=1)


def test_first_frame_of_a_json_is_that_of_its_names(tmp_path: Path) -> None:
    content = coco_json({1: LABELS, 5: LABELS})
    path = write_json(tmp_path / "c.json", content)
    assert list(labels_of(path, first_frame=1)) == [0, 4]
    for key, offset, expected in (("frame_id", 0, [0, 4]), ("frame_index", -1, [0, 4])):
        for image, frame in zip(content["images"], (1, 5), strict=True):
            image[key] = frame + offset
        assert list(labels_of(write_json(path, content), first_frame=1)) == expected
        for image in content["images"]:
            del image[key]
    for image, frame in zip(content["images"], (1, 5), strict=True):
        image["frame_id"] = frame - 1
    with pytest.raises(PromptError, match="frame 1 by its name, and says that it is 0.*Do the names count from 1"):
        labels_of(write_json(path, content))


def test_what_was_read_is_listed_with_its_files(tmp_path: Path) -> None:
    to_image(np.where(LABELS, 7, 0)).save(masks(tmp_path, "00003") / "00009.png")
    read = prompts_of(tmp_path).read
    assert [(r.frame, r.objects, r.source) for r in read] == [(3, (1,), "00003.png"), (9, (7,), "00009.png")]


@pytest.mark.parametrize(
    "names", [("obj_1", "obj_2"), ("instance_01",), ("object1", "object2"), ("v_id1",), ("mask_0", "mask_1")]
)
def test_a_number_after_a_word_for_objects_is_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="may be a frame or an object's.*mask_names"):
        labels_of(masks(tmp_path, *names))


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("IMG_0003_mask", None), ("IMG_0003.jpg", None), ("IMG_0003_jpg.rf.8b1f0c2d", None), ("IMG_0003", None),
        ("IMG_0003_mask", "{frame}_mask"), ("mask_0003", "mask_{frame}"), ("3_x", "{frame}_x"),
        ("IMG_0003_obj1", "{frame}_obj{object}"), ("IMG_0003/1", "{frame}/{object}"),
    ],
)  # fmt: skip
def test_masks_of_images_are_found_by_the_images_names(name: str, pattern: str | None, tmp_path: Path) -> None:
    found = labels_of(masks(tmp_path, name), ["IMG_0000", "IMG_0003", "IMG_0004"], mask_names=pattern)
    assert list(found) == [1]


def test_masks_counted_like_objects_are_frames_where_each_frame_has_one(tmp_path: Path) -> None:
    folder = masks(tmp_path, "mask_1", "mask_2", "mask_3")
    assert list(labels_of(folder, frames=3, first_frame=1)) == [0, 1, 2]
    with pytest.raises(PromptError, match="may be a frame or an object's"):
        labels_of(folder, frames=12)
    assert list(labels_of(folder, frames=12, mask_names="mask_{frame}")) == [1, 2, 3]
    assert list(labels_of(masks(tmp_path / "padded", "mask_000", "mask_001"), frames=12)) == [0, 1]


def test_folders_of_several_videos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"one is called like the video; legal: prompts that name .*/v, or"):
        labels_of(masks(tmp_path, "v/00000", "other/00003"))


def test_removal_after_the_end_is_refused(tmp_path: Path) -> None:
    folder = masks(tmp_path, "00000")
    assert labels_of(folder, removals=((1, 11),), frames=12)
    with pytest.raises(PromptError, match="remove says 1@12, and the video has 12 frames; legal: 0 to 11"):
        labels_of(folder, removals=((1, 12),), frames=12)


@pytest.mark.parametrize(
    ("images", "first_frame", "removal", "expected"),
    [
        (None, 0, 6, 6),
        (None, 1, 6, 5),
        (tuple(f"{n:05d}" for n in range(1, 13)), 0, 6, 5),
        (tuple(f"{n:05d}" for n in range(1, 13)), 0, 12, 11),
        (tuple(f"{n:05d}" for n in range(0, 60, 5)), 0, 25, 5),
        (tuple("abcdefgh"), 0, 6, 6),
    ],
)
def test_frames_of_removals_are_counted_as_those_of_masks(
    images: tuple[str, ...] | None, first_frame: int, removal: int, expected: int, tmp_path: Path
) -> None:
    folder = masks(tmp_path, images[1] if images else "00002")
    prompts = prompts_of(folder, images, frames=12, first_frame=first_frame, removals=((1, removal),))
    assert prompts.removals == {expected: {1}}


@pytest.mark.parametrize(
    ("images", "first_frame", "removal", "message"),
    [
        (None, 1, 13, "remove says 1@13, and the video has 12 frames; legal: 1 to 12"),
        (None, 2, 1, "remove says frame 1, and first_frame says that the first is 2"),
        (
            ("00005", "00010", "00020"),
            0,
            11,
            "frame 11, and no image of the folder has this number, from 00005 to",
        ),
        (None, 1, 3, "remove says 1@3, which is frame 2 counted from 0, and it is prompted on the frames"),
    ],
)
def test_removal_of_no_frame_is_refused(
    images: tuple[str, ...] | None, first_frame: int, removal: int, message: str, tmp_path: Path
) -> None:
    folder = masks(tmp_path, images[0] if images else "00003")
    with pytest.raises(PromptError, match=message):
        prompts_of(folder, images, frames=12, first_frame=first_frame, removals=((1, removal),))


@pytest.mark.parametrize(
    ("indices", "first_frame", "expected"),
    [
        ({"frame_index": 3}, 1, 2),
        ({"frame_index": 3, "frame_id": 4}, 1, 3),
        ({"frame_index": 3, "frame_id": 3}, 0, 3),
        (
            {"frame_index": 3, "frame_id": 4},
            0,
            "has frame_index 3 and frame_id 4; legal: the same. Does frame_id",
        ),
        ({"frame_index": 3, "frame_id": 7}, 1, "has frame_index 3 and frame_id 7; legal: the same$"),
    ],
)
def test_frame_index_and_frame_id_are_compared(
    indices: dict[str, int], first_frame: int, expected: int | str, tmp_path: Path
) -> None:
    content = coco_json({3: LABELS})
    content["images"] = [{k: v for k, v in image.items() if k != "file_name"} | indices for image in content["images"]]
    path = write_json(tmp_path / "c.json", content)
    if isinstance(expected, int):
        assert list(labels_of(path, first_frame=first_frame)) == [expected]
        return
    with pytest.raises(PromptError, match=expected):
        labels_of(path, first_frame=first_frame)


@pytest.mark.parametrize("kind", ["parquet", "sa-v", "cvat-video"])
def test_first_frame_is_refused_where_it_would_change_nothing(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path, {0: LABELS, 2: LABELS})
    with pytest.raises(PromptError, match="first_frame is 1, and .* from 0, whatever files are called; legal: without"):
        labels_of(path, first_frame=1)
