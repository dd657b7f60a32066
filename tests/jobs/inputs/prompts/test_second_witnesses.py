"""What a JSON says twice is compared, and a contradiction is refused with both values."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.errors import PromptError
from tests.jobs.inputs.prompts.kinds import (
    coco_json,
    labels_of,
    prompts_of,
    rle,
    runs,
    sav_json,
    write_json,
    ytvis_json,
)

LABELS = np.zeros((60, 80), np.int32)
LABELS[10:30, 20:50] = 1
LABELS[40:55, 5:25] = 2
Change = Callable[[dict[str, Any]], object]


def annotated(**first: Any) -> dict[str, Any]:
    """Instances on frames 0 and 5. first: values of the first annotation."""
    content = copy.deepcopy(coco_json({0: LABELS, 5: LABELS}))
    content["annotations"][0] |= first
    return content


@pytest.mark.parametrize(
    "bbox", [[20, 10, 30, 20], [20.4, 9.2, 31, 19.1], [20, 10, 50, 30], [], [0, 0, 0, 0], None, [24, 8, 30, 20]]
)
@pytest.mark.parametrize("area", [600, 600.0, 570, 0, None])
def test_boxes_and_areas_that_agree_are_legal(bbox: Any, area: Any, tmp_path: Path) -> None:
    """Of detectors, of polygons, with two corners, or empty."""
    assert list(labels_of(write_json(tmp_path / "c.json", annotated(bbox=bbox, area=area)))) == [0, 5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bbox": [60, 40, 15, 15]}, r"lies in the box \[20, 10, 30, 20\] .*, and its bbox is \[60, 40, 15, 15\]"),
        ({"area": 1500}, "has 600 pixels, and its area is 1500; legal: the same"),
        ({"area": 300.5, "bbox": [20, 10, 30, 20]}, "has 600 pixels, and its area is 300.5"),
    ],
)
def test_boxes_and_areas_that_contradict_the_mask_are_refused(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(PromptError, match=message):
        labels_of(write_json(tmp_path / "c.json", annotated(**values)))


@pytest.mark.parametrize("code", [rle, runs])
def test_runs_along_rows_are_shown_by_the_box(code: Callable[[np.ndarray], dict[str, Any]], tmp_path: Path) -> None:
    """Their area is right."""
    along_rows = code((LABELS == 1).T)
    content = annotated(segmentation=along_rows | {"size": [60, 80]}, bbox=[20, 10, 30, 20], area=600)
    with pytest.raises(PromptError, match="Its runs may be of rows, where COCO's are of columns"):
        labels_of(write_json(tmp_path / "c.json", content))


def change_image(**values: Any) -> Change:
    return lambda content: content["images"][0].update(values)


def change_annotation(**values: Any) -> Change:
    return lambda content: content["annotations"][0].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_image(height=120, width=160), "a mask is 80x60 by its RLE, and 160x120 by the height and width of its"),
        (change_annotation(image_id=7), "annotation 9000 has image_id 7, and no image has this id$|this id \\("),
        (
            change_annotation(image_id="500"),
            "image_id '500', and no image has this id: it is a text here, and not there",
        ),
        (change_annotation(category_id="11"), "category_id '11', which is not among the categories: it is a text here"),
        (change_annotation(video_id=4), "annotation 9000 has video_id 4, and its image has 3; legal: the same"),
        (
            lambda content: content["categories"].append({"id": 11, "name": "x"}),
            "categories of the JSON have the same id",
        ),
        (lambda content: content.update(videos=[{"id": 4, "name": "v"}]), "image 500 has video_id 3, and no video has"),
        (change_annotation(attributes={"track_id": 9}), "track_id of annotation 9000 is 1, and 9 in its attributes"),
    ],
)
def test_references_that_contradict_each_other_are_refused(change: Change, message: str, tmp_path: Path) -> None:
    content = annotated()
    for image in content["images"]:
        image["video_id"] = 3
    change(content)
    with pytest.raises(PromptError, match=message):
        labels_of(write_json(tmp_path / "c.json", content))


def test_length_of_a_coco_video_is_compared(tmp_path: Path) -> None:
    content = annotated() | {"videos": [{"id": 3, "name": "v", "length": 30}]}
    for image in content["images"]:
        image["video_id"] = 3
    path = write_json(tmp_path / "c.json", content)
    assert labels_of(path, frames=30)
    with pytest.raises(PromptError, match="length of the JSON's video is 30, and the video has 12 frames"):
        labels_of(path, frames=12)


def test_annotations_of_one_id_are_refused_where_it_is_the_objects(tmp_path: Path) -> None:
    """Merged exports, and ids that begin anew on each image."""
    content = annotated()
    for annotation in content["annotations"]:
        annotation["id"] = annotation.pop("track_id")
    with pytest.raises(PromptError, match="several annotations have the id '1'; legal: an id for each"):
        labels_of(write_json(tmp_path / "c.json", content))
    twice = ytvis_json({0: LABELS})
    twice["annotations"][1]["id"] = 1
    with pytest.raises(PromptError, match="several annotations have the id '1'"):
        labels_of(write_json(tmp_path / "y.json", twice))
    content = annotated() | {"categories": []}  # as good as none
    assert labels_of(write_json(tmp_path / "c.json", content))


def test_track_ids_among_attributes_tell_objects_apart(tmp_path: Path) -> None:
    """As CVAT writes them."""
    content = annotated()
    for annotation in content["annotations"]:
        annotation["attributes"] = {"occluded": False, "track_id": annotation.pop("track_id") + 6}
    labels = labels_of(write_json(tmp_path / "c.json", content))
    assert {frame: np.unique(m).tolist() for frame, m in labels.items()} == {0: [0, 7, 8], 5: [0, 7, 8]}


@pytest.mark.parametrize("key", ["track_id", "instance_id", "id"])
def test_ids_from_0_are_read_one_higher(key: str, tmp_path: Path) -> None:
    content = annotated()
    for number, annotation in enumerate(content["annotations"]):
        track = annotation.pop("track_id")
        annotation[key] = number if key == "id" else track - 1
    prompts = prompts_of(write_json(tmp_path / "c.json", content))
    assert np.array_equal(prompts.labels[0], LABELS)
    assert prompts.names[1] == "ant"
    assert f"{key} counts from 0, and is read one higher: object 1 is {key} 0" in prompts.notes


def test_ids_from_0_in_one_video_shift_those_of_all_in_the_file(tmp_path: Path) -> None:
    """So that an id is the same object's in the whole data set."""
    one, other = annotated(), annotated()
    for content, offset, name in ((one, -1, "a"), (other, 4, "b")):
        for image in content["images"]:
            image |= {"id": f"{name}{image['id']}", "video_id": name}
        for annotation in content["annotations"]:
            annotation["image_id"] = f"{name}{annotation['image_id']}"
            annotation["track_id"] += offset
    both = {key: one[key] + other[key] for key in ("images", "annotations")} | {"categories": one["categories"]}
    path = write_json(tmp_path / "c.json", both)
    assert [np.unique(labels_of(path, video_id=v)[0]).tolist() for v in ("a", "b")] == [[0, 1, 2], [0, 6, 7]]


def test_annotations_of_several_frames_without_track_ids_leave_a_note(tmp_path: Path) -> None:
    content = annotated()
    for annotation in content["annotations"]:
        del annotation["track_id"]
    (note,) = prompts_of(write_json(tmp_path / "c.json", content)).notes
    assert note.startswith("no annotation has track_id, instance_id, object_id, so each of 4 is an object of its own")


def test_json_in_which_no_image_has_the_videos_name_says_so(tmp_path: Path) -> None:
    content = annotated()
    for image, name in zip(content["images"], ("bear", "goat"), strict=True):
        image["file_name"] = f"{name}.jpg"
    with pytest.raises(
        PromptError, match=r"No image of the JSON has the name of the video, 'v': they are 'bear.jpg', 'goat"
    ):
        labels_of(write_json(tmp_path / "c.json", content))


def test_lengths_and_counts_of_a_video_are_compared(tmp_path: Path) -> None:
    path, ytvis = tmp_path / "x.json", ytvis_json({0: LABELS, 5: LABELS})
    with pytest.raises(PromptError, match="length of the video is 13, and it has 12 file_names; legal: the same"):
        labels_of(write_json(path, ytvis | {"videos": [ytvis["videos"][0] | {"length": 13}]}))
    assert list(labels_of(write_json(path, ytvis), frames=12)) == [0, 5]
    with pytest.raises(PromptError, match="file 'v/00011.jpg' is frame 11, and the video has 11 frames"):
        labels_of(path, frames=11)
    unnamed = {k: v for k, v in ytvis["videos"][0].items() if k != "file_names"}
    write_json(path, ytvis | {"videos": [unnamed]})
    assert list(labels_of(path, frames=12)) == [0, 5]
    with pytest.raises(PromptError, match="12 segmentations an object and no file_names, and the video has 60 frames"):
        labels_of(path, frames=60)
    ytvis["annotations"][0]["video_id"] = "3"
    with pytest.raises(PromptError, match="video_id '3', and no video has this id: it is a text here, and not there"):
        labels_of(write_json(path, ytvis))
    write_json(path, sav_json({0: LABELS}))
    assert list(labels_of(path, frames=12)) == [0]
    with pytest.raises(PromptError, match="masklet_num is 3, and masklet_id has 2 ids; legal: the same"):
        labels_of(write_json(tmp_path / "n.json", sav_json({0: LABELS}) | {"masklet_num": 3}))
    with pytest.raises(PromptError, match="the JSON is of 12 frames, 12 of them annotated, and the video has 13"):
        labels_of(path, frames=13)
    write_json(path, sav_json({0: LABELS}) | {"video_height": 30, "video_width": 40.0})
    with pytest.raises(PromptError, match="a mask is 80x60 by its RLE, and 40x30 by the height and width"):
        labels_of(path)


@pytest.mark.parametrize(
    ("height", "message"),
    [
        (60.0, None),
        (120.0, "a mask is 80x60 by its RLE, and 80x120 by"),
        ("120", "height of an image or video is '120'; legal: a whole number"),
        (60.5, "height of an image or video is 60.5; legal: a whole number"),
        (1e308, "height of an image or video is 1e.308"),
    ],
)
def test_sizes_of_other_types_are_compared_or_refused(height: Any, message: str | None, tmp_path: Path) -> None:
    content = annotated()
    change_image(height=height, width=80)(content)
    path = write_json(tmp_path / "c.json", content)
    if message is None:
        assert list(labels_of(path)) == [0, 5]
        return
    with pytest.raises(PromptError, match=message):
        labels_of(path)


def test_key_that_occurs_twice_in_an_object_is_refused(tmp_path: Path) -> None:
    """Python would take the last value, other readers the first."""
    text = json.dumps(annotated()).replace('"file_name": ', '"file_name": "00007.jpg", "file_name": ', 1)
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(PromptError, match="cannot be read as JSON: an object has the key 'file_name' twice"):
        labels_of(tmp_path / "c.json")
