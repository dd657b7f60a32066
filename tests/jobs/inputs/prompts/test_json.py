"""COCO, YTVIS and SA-V JSON: the video, frames and objects that are read, and the errors."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations import json_file
from tests.jobs.inputs.prompts.kinds import coco_json, labels_of, polygons, prompts_of, sav_json, write_json, ytvis_json

LABELS = np.zeros((24, 32), np.int32)
LABELS[3:11, 4:15] = 1
LABELS[12:20, 10:22] = 2
OTHER = np.flip(LABELS, axis=1).copy()
MASKS = {0: LABELS, 5: OTHER}
Change = Callable[[dict[str, Any]], object]


def two_coco(videos: tuple[str, str], **image: Any) -> dict[str, Any]:
    """Two videos in one file: the first has MASKS, the second only OTHER."""
    first, second = coco_json(MASKS, video=videos[0]), coco_json({0: OTHER}, video=videos[1])
    for number, part in enumerate((first, second)):
        for record in part["images"]:
            record |= {"id": record["id"] + 1_000 * number, **{k: v[number] for k, v in image.items()}}
        for record in part["annotations"]:
            record["image_id"] += 1_000 * number
    return {key: first[key] + second[key] for key in ("images", "annotations")} | {"categories": first["categories"]}


@pytest.mark.parametrize("video_id", ["a", "clips/a", "b"])
def test_coco_video_is_chosen_by_folder(video_id: str, tmp_path: Path) -> None:
    path = write_json(tmp_path / "c.json", two_coco(("clips/a", "clips\\b")))
    labels = labels_of(path, video_id=video_id)
    assert list(labels) == ([0] if video_id == "b" else [0, 5])
    assert np.array_equal(labels[0], OTHER if video_id == "b" else LABELS)


def test_coco_video_is_chosen_by_id_or_name(tmp_path: Path) -> None:
    content = two_coco(("x", "x"), video_id=(4, 7)) | {"videos": [{"id": 4, "name": "a.mp4"}, {"id": 7, "name": "b"}]}
    path = write_json(tmp_path / "c.json", content)
    for video_id, masks in (("4", LABELS), ("a", LABELS), ("a.mp4", LABELS), ("7", OTHER), ("b", OTHER)):
        assert np.array_equal(labels_of(path, video_id=video_id)[0], masks)
    with pytest.raises(PromptError, match=r"of the JSON's 2 videos none is called 'c'; they are called .*'a.mp4'"):
        labels_of(path, video_id="c")
    write_json(path, content | {"videos": [{"id": 4, "name": "a"}, {"id": 7, "name": "a"}]})
    with pytest.raises(PromptError, match="2 videos are called 'a'"):
        labels_of(path, video_id="a")


def test_coco_image_named_like_the_video_is_its_first_frame(tmp_path: Path) -> None:
    """The first segmented frame, as for a single PNG."""
    content = two_coco(("x", "x"))
    content["images"] = [
        dict(i, file_name=f"{name}.jpg") for i, name in zip(content["images"], ("v1", "v2", "v3"), strict=True)
    ]
    labels = labels_of(write_json(tmp_path / "c.json", content), video_id="v2", start=7)
    assert list(labels) == [7]
    assert np.array_equal(labels[7], OTHER)


def test_coco_image_named_like_video_and_frame_raises(tmp_path: Path) -> None:
    content = coco_json(MASKS, video=".")
    path = write_json(tmp_path / "c.json", content)
    assert list(labels_of(path, video_id="v")) == [0, 5]
    with pytest.raises(PromptError, match="called '00005', as the video is, and as a frame might be"):
        labels_of(path, video_id="00005")


@pytest.mark.parametrize("key", ["frame_index", "frame_id"])
def test_coco_frame_index_gives_the_frame(key: str, tmp_path: Path) -> None:
    content = coco_json(MASKS)
    for image, frame in zip(content["images"], (3, 9.0), strict=True):
        image[key] = frame
    path = write_json(tmp_path / "c.json", content)
    for names in (None, [f"{f:05d}" for f in range(12)]):
        with pytest.raises(PromptError, match="'v/00000.jpg' is frame 0 by its name, and says that it is 3"):
            labels_of(path, names)
    for image in content["images"]:
        del image["file_name"]
    assert list(labels_of(write_json(path, content), ["x"] * 12)) == [3, 9]


def test_coco_frames_of_an_image_folder_match_by_name(tmp_path: Path) -> None:
    path = write_json(tmp_path / "c.json", coco_json(MASKS))
    assert list(labels_of(path, ["00000", "00002", "00005"])) == [0, 2]
    with pytest.raises(PromptError, match="00005.jpg says no frame; its name must be a frame's name, such as 00000"):
        labels_of(path, ["00000", "00002"])


@pytest.mark.parametrize("key", ["track_id", "instance_id", "object_id", "id"])
def test_object_ids_are_kept(key: str, tmp_path: Path) -> None:
    content = coco_json({0: LABELS})
    for annotation in content["annotations"]:
        annotation[key] = annotation.pop("track_id") * 1_000_000
    prompts = prompts_of(write_json(tmp_path / "c.json", content))
    assert prompts.names == {1_000_000: "ant", 2_000_000: "bee"}
    assert np.array_equal(prompts.labels[0], LABELS * 1_000_000)


def test_annotations_without_track_ids_are_separate_objects(tmp_path: Path) -> None:
    content = coco_json(MASKS)
    for annotation in content["annotations"]:
        del annotation["track_id"]
    labels = labels_of(write_json(tmp_path / "c.json", content))
    assert {f: np.unique(m).tolist() for f, m in labels.items()} == {0: [0, 9000, 9001], 5: [0, 9002, 9003]}


def test_ytvis_video_is_chosen_by_id_or_folder(tmp_path: Path) -> None:
    one, two = ytvis_json(MASKS, video="a"), ytvis_json({0: OTHER}, video="b")
    two["videos"][0]["id"] = 8
    for annotation in two["annotations"]:
        annotation |= {"video_id": 8, "id": annotation["id"] + 10}
    both = {key: one[key] + two[key] for key in ("videos", "annotations")} | {"categories": one["categories"]}
    path = write_json(tmp_path / "y.json", both)
    for video_id in ("a", "3"):
        assert list(labels_of(path, video_id=video_id)) == [0, 5]
    assert np.unique(labels_of(path, video_id="b")[0]).tolist() == [0, 11, 12]
    with pytest.raises(PromptError, match="none is called 'c'"):
        labels_of(path, video_id="c")


def test_ytvis_frames_follow_file_names_or_position(tmp_path: Path) -> None:
    content = ytvis_json(MASKS)
    path = write_json(tmp_path / "y.json", content)
    assert list(labels_of(path, [f"{f:05d}" for f in range(0, 40, 1)][::-1])) == [34, 39]
    content["videos"][0]["file_names"] = [f"v/{5 * f:05d}.jpg" for f in range(12)]  # every 5th frame is annotated
    assert list(labels_of(write_json(path, content))) == [0, 25]
    del content["videos"][0]["file_names"]
    assert list(labels_of(write_json(path, content))) == [0, 5]


def test_sa_v_has_every_4th_frame_and_ids_from_0(tmp_path: Path) -> None:
    masks = {0: LABELS, 8: OTHER}
    path = write_json(tmp_path / "sav_000001_manual.json", sav_json(masks, 11, every=4, first_id=0))
    for names in (None, [f"{f:05d}" for f in range(11)]):
        prompts = prompts_of(path, names)
        assert {f: np.unique(m).tolist() for f, m in prompts.labels.items()} == {0: [0, 1, 2], 8: [0, 1, 2]}
        assert prompts.names == {1: "0", 2: "1"}
    assert list(labels_of(path, ["00000", "00004", "00008"])) == [0, 2]  # the annotated frames alone, as images
    with pytest.raises(PromptError, match="the JSON is of 11 frames, 3 of them annotated, and the video has 5"):
        labels_of(path, ["a"] * 5)


def _set(*keys: str | int, to: object) -> Change:
    def change(content: dict[str, Any]) -> None:
        at: Any = content
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = to

    return change


def _drop(key: str) -> Change:
    return lambda content: content.pop(key)


FIRST = ("annotations", 0)
SEGMENTATION = (*FIRST, "segmentation")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("images", to=5), "the JSON's images is 5; legal: a list of objects"),
        (_set("annotations", to=[7]), r"annotations is \[7\]; legal: a list of objects"),
        (_set("images", to=[]), "has no images"),
        (_set("images", 1, "id", to=500), "the same id"),
        (_set("images", 1, "file_name", to="v/0.jpg"), "images 500 and 505 are both of frame 0"),
        (_set("images", 0, "file_name", to="v/first.jpg"), "first.jpg says no frame; its name must be a number"),
        (_set("images", 0, "file_name", to=["x"]), r"file_name of an image is \['x'\]; legal: a text"),
        (_set("images", 0, "frame_index", to="3"), "frame_index of an image is '3'; legal: a whole number"),
        (_set("images", 0, "frame_index", to=-1), "is frame 0 by its name, and says that it is -1"),
        (_set("images", 0, "frame_index", to=2**40), "and says that it is 1099511627776; legal: the same"),
        (_set("images", 0, "frame_index", to=10**400), "frame_index of an image is 10+.*0+; legal: a whole number"),
        (_set(*FIRST, "image_id", to=[1]), r"image_id of an annotation is \[1\]; legal: a number or a text"),
        (_set(*FIRST, "track_id", to=None), "4 annotations 3 have track_id; legal: all, or none"),
        (_set(*FIRST, "track_id", to=-1), "track_id of an annotation is -1; legal: from 1 up"),
        (_set(*FIRST, "track_id", to=2**31), "an object's id is 2147483648; legal: 1 to 2147483647"),
        (_set(*FIRST, "track_id", to=True), "track_id of an annotation is True; legal: a whole number"),
        (_set(*FIRST, "track_id", to=2), "object 2 is called both 'ant' and 'bee'"),
        (_set(*FIRST, "category_id", to=99), "category_id 99, which is not among the categories"),
        (_set(*FIRST, "category_id", to=12), "object 1 is called both 'bee' and 'ant'; legal: one name"),
        (_set("categories", 0, "name", to="a\0b"), r"object 1 is called 'a\\x00b'; legal: .* that can be shown"),
        (_set("categories", 0, "name", to="\ud800"), r"is called '\\ud800'; legal"),
        (_set(*SEGMENTATION, to=None), "object 1 on frame 0 cannot be decoded: its segmentation is None"),
        (_set(*SEGMENTATION, to=[]), r"its segmentation is \[\]; legal: RLE or polygons, as a box alone is no mask"),
        (_set(*SEGMENTATION, to={"size": [24, 32]}), "its counts are None; legal: COCO's text, or a list"),
        (_set(*SEGMENTATION, "size", to=[10**9, 10**9]), "a mask is 10+x10+ by its RLE, and 32x24 by"),
        (_set(*SEGMENTATION, "size", to=[24, 32.0]), r"its size is \[24, 32.0\]; legal: \[height, width\]"),
        (_set(*SEGMENTATION, "size", to=[24, 16]), "a mask is 16x24 by its RLE, and 32x24 by"),
        (_set(*SEGMENTATION, "counts", to=[767]), "its runs are 767 pixels together, and its size 32x24 is 768"),
        (_set(*SEGMENTATION, "counts", to=[-1, 769]), "a run of '-1' pixels"),
        (_set(*SEGMENTATION, "counts", to=[10**4000]), "a run of '10+' pixels"),
        (_set(*SEGMENTATION, "counts", to=[384.0, 384.0]), "a run of '384.0' pixels"),
        (_set(*SEGMENTATION, "counts", to=[[768]]), r"a run of '\[768\]' pixels"),
        (_set(*SEGMENTATION, "counts", to=[0] * 10_000), "it has 10,000 runs, and its size 32x24 is 768 pixels"),
        (_set(*SEGMENTATION, to=[[1, 2, 3, 4]]), "a polygon that is no list of x, y, x, y, ... of 3 points or more"),
        (_set(*SEGMENTATION, to=["0" * 6]), "a polygon that is no list of x, y"),
        (_set(*SEGMENTATION, to=[[0, 0, 9, 0, 9, 10**400]]), "a polygon has the coordinate 10+.* legal: numbers"),
        (_set(*SEGMENTATION, to=[[0, 0, 9, 0, 9, 49]]), "the coordinate 49; legal: numbers within the 32x24 frame"),
        (_set(*SEGMENTATION, to=[[0, 0, 9, 0, 9, "5"]]), "the coordinate '5'; legal"),
        (_set(*SEGMENTATION, to=[[0, 0, 0.1, 0, 0.1, 0.2]]), "hold no pixel; legal: coordinates in pixels, not shares"),
        (_set(*SEGMENTATION, to=[[0.0, 0.0] * 60_000] * 2), "120,000 points or more; legal: up to 100,000"),
        (_set(*SEGMENTATION, to=[[0, 0, 60, 0] * 20_000]), "outlines are .* pixels long; legal: up to 1,000,000"),
        (lambda content: content["images"][0].pop("height") and _set(*SEGMENTATION, to=[[0, 0, 9, 0, 9, 9]])(content),
         "does not say height and width of its frame"),
    ],
)  # fmt: skip
def test_invalid_coco_json_raises_with_the_reason(change: Change, message: str, tmp_path: Path) -> None:
    content = copy.deepcopy(coco_json(MASKS))
    change(content)
    with pytest.raises(PromptError, match=message) as error:
        labels_of(write_json(tmp_path / "c.json", content))
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("videos", to=[]), "or there are none"),
        (_set("videos", 0, "file_names", to="x"), "file_names of a video is 'x'; legal: a list of texts"),
        (_set("videos", 0, "file_names", 1, to="0.jpg"), "say some frame twice"),
        (_set(*FIRST, "segmentations", to=None), "segmentations of object 1 is None; legal: a list"),
        (_set(*FIRST, "segmentations", to=[None]), "object 1 has 1 segmentations, its video 12 frames; legal: one for"),
        (_set(*FIRST, "segmentations", 0, to=7), "object 1 on frame 0 cannot be decoded: its segmentation is 7"),
        (_set(*FIRST, "video_id", to=None), "video_id of an annotation is None"),
    ],
)
def test_invalid_ytvis_json_raises_with_the_reason(change: Change, message: str, tmp_path: Path) -> None:
    content = ytvis_json(MASKS)
    change(content)
    with pytest.raises(PromptError, match=message):
        labels_of(write_json(tmp_path / "y.json", content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop("masklet_id"), "the JSON's masklet_id is None; legal: a list, as in SA-V"),
        (_drop("video_frame_count"), "video_frame_count of the JSON is None"),
        (_set("masklet_id", to=[1, 1]), r"masklet_id is \[1, 1\]; legal: an id for each masklet"),
        (_set("masklet_id", to=[-1, 2]), r"masklet_id is \[-1, 2\]"),
        (_set("masklet_id", to=[1, 2, 3]), "the masks of frame 0 are .* legal: a list of 3, one a masklet_id"),
        (_set("video_frame_count", to=30), "masks of 12 frames, and its video_frame_count is 30; legal: one for each"),
        (_set("masklet", 0, 0, to="x"), "object 1 on frame 0 cannot be decoded: its segmentation is 'x'"),
    ],
)
def test_invalid_sa_v_json_raises_with_the_reason(change: Change, message: str, tmp_path: Path) -> None:
    content = sav_json(MASKS)
    change(content)
    with pytest.raises(PromptError, match=message):
        labels_of(write_json(tmp_path / "s.json", content))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as JSON"),
        ("{'a': 1}", "cannot be read as JSON"),
        ("[1, 2]", r"is \[1, 2\]; legal: a JSON object"),
        ('[{"image_id": 1, "score": 0.5}]', "is a list of results, which names no images; legal: an object with"),
        (
            '{"images": [], "boxes": []}',
            r"its keys are \['images', 'boxes'\]; legal: SA-V \(masklet\), COCO .* or YTVIS \(videos",
        ),
        ('{"images": NaN}', "it holds NaN, which is no JSON"),
        ('{"x": ' + "9" * 5_000 + "}", "cannot be read as JSON: Exceeds the limit"),
        ('{"x": ' + "[" * 100_000, "cannot be read as JSON: maximum recursion depth"),
        ('{"x": ' + '{"x": ' * 100_000, "cannot be read as JSON: maximum recursion depth"),
        ('{"x": "\xff"}', "cannot be read as JSON: 'utf-8' codec can't decode"),
    ],
)
def test_unreadable_json_raises(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(PromptError, match=message):
        labels_of(tmp_path / "x.json")


def test_huge_json_is_refused_before_parsing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_json(tmp_path / "c.json", coco_json(MASKS))
    costs = {",": 64, "[": 96, "{": 240, ":": 200}
    memory = sum(path.read_text().count(mark) * cost for mark, cost in costs.items())
    for name, bound in (("MAX_BYTES", path.stat().st_size), ("MAX_MEMORY", memory)):
        with monkeypatch.context() as patch:
            patch.setattr(json_file, name, bound)
            assert labels_of(path)
            patch.setattr(json_file, name, bound - 1)
            patch.setattr(json, "loads", None)
            with pytest.raises(PromptError, match=f"{bound:,} bytes.*; legal: up to {bound - 1:,}. Write a JSON for"):
                labels_of(path)


def test_polygons_are_filled_as_in_pycocotools(tmp_path: Path) -> None:
    content = coco_json({0: LABELS}, polygons)
    content["annotations"][0]["segmentation"] = [[-5, -5, 10, -5, 10, 8.5, -5, 8.5], [12, 2, 20.2, 2, 16, 9]]
    labels = labels_of(write_json(tmp_path / "c.json", content))[0]
    assert labels[0, 0] == 1
    assert (labels[:9, :10] == 1).sum() in range(76, 91)
    assert labels[4, 16] == 1
    assert labels[2, 11] == 0


@pytest.mark.parametrize(
    "name", ["../../../../etc/00000.jpg", "/etc/00000.jpg", "a\0b/00000.jpg", "http://x/00000.jpg"]
)
def test_file_names_in_a_json_are_never_opened(name: str, tmp_path: Path) -> None:
    content = coco_json({0: LABELS})
    content["images"][0]["file_name"] = name
    assert list(labels_of(write_json(tmp_path / "c.json", content))) == [0]
