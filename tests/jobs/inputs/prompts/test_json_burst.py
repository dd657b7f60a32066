"""BURST JSON: the sequence, frames, tracks and names that are read, and the errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.errors import PromptError
from jobs.inputs.prompts.leniency import Leniency
from jobs.inputs.prompts.load import load_prompts
from jobs.records import Entry
from tests.jobs.inputs.prompts.kinds import burst_json, labels_of, prompts_of, write_json

LABELS = np.zeros((24, 32), np.int32)
LABELS[3:11, 4:15] = 1
LABELS[12:20, 10:22] = 2
OTHER = np.flip(LABELS, axis=1).copy()
MASKS = {0: LABELS, 5: OTHER}
Change = Callable[[dict[str, Any]], object]


def two_sequences(**values: tuple[object, object]) -> dict[str, Any]:
    """Two sequences in one file: the first has MASKS, the second only OTHER."""
    first, second = burst_json(MASKS, video="a"), burst_json({0: OTHER}, video="b")
    sequences = [*first["sequences"], *second["sequences"]]
    for number, sequence in enumerate(sequences):
        sequence |= {"id": 7 + number, **{key: of_each[number] for key, of_each in values.items()}}
    return first | {"sequences": sequences}


def test_sequence_is_chosen_by_name_or_dataset_and_name_or_id(tmp_path: Path) -> None:
    path = write_json(tmp_path / "b.json", two_sequences())
    for video_id, masks in (("a", LABELS), ("LaSOT/a", LABELS), ("7", LABELS), ("b", OTHER), ("8", OTHER)):
        assert np.array_equal(labels_of(path, video_id=video_id)[0], masks)
    with pytest.raises(PromptError, match="of the JSON's 2 videos none is called 'c'"):
        labels_of(path, video_id="c")
    write_json(path, two_sequences(seq_name=("a", "a"), dataset=("BDD", "HACS")))
    assert np.array_equal(labels_of(path, video_id="HACS/a")[0], OTHER)
    with pytest.raises(PromptError, match="2 videos are called 'a'"):
        labels_of(path, video_id="a")


def test_track_0_raises_all_ids_by_one_with_a_note(tmp_path: Path) -> None:
    content = burst_json({0: LABELS})
    (sequence,) = content["sequences"]
    for record in (*sequence["segmentations"], sequence["track_category_ids"]):
        for track in ("1", "2", "3"):
            if track in record:
                record[str(int(track) - 1)] = record.pop(track)
    prompts = prompts_of(write_json(tmp_path / "b.json", content))
    assert np.array_equal(prompts.labels[0], LABELS)
    assert prompts.names == {1: "ant", 2: "bee"}
    assert any("object 1 is track 0" in note for note in prompts.notes)


def test_annotated_images_are_frames_of_all_images_by_name(tmp_path: Path) -> None:
    path = write_json(tmp_path / "b.json", burst_json(MASKS))
    assert list(labels_of(path, ["00000", "00003", "00005"])) == [0, 2]


def test_place_among_all_images_must_be_the_frame_of_the_name(tmp_path: Path) -> None:
    """Where the video is a file of as many frames: a cut of a longer video has other numbers in its names."""
    content = burst_json(MASKS)
    (sequence,) = content["sequences"]
    for key in ("all_image_paths", "annotated_image_paths"):
        sequence[key] = [f"{int(image[:5]) + 1:05d}.jpg" for image in sequence[key]]
    path = write_json(tmp_path / "b.json", content)

    def load(frames: int, first_frame: int = 0) -> list[int]:
        entry = Entry(video_id="v", video="", prompts="", first_frame=first_frame)
        return list(load_prompts(path, entry, None, frames=frames).labels)

    assert load(400) == [1, 6]
    assert load(12, first_frame=1) == [0, 5]
    with pytest.raises(PromptError, match="is frame 1 by its name, and frame 0 by its place .* first_frame: 1"):
        load(12)


def test_box_beside_a_mask_must_be_around_it(tmp_path: Path) -> None:
    """Files of first frames have boxes, x, y, width and height."""
    content = burst_json({0: LABELS})
    record = content["sequences"][0]["segmentations"][0]["1"]
    path = tmp_path / "b.json"
    record["bbox"] = [4, 3, 11, 8]
    assert labels_of(write_json(path, content))
    record["bbox"] = [20, 3, 11, 8]
    with pytest.raises(PromptError, match=r"on frame 0 lies in the box \[4, 3, 11, 8\] .* is \[20, 3, 11, 8\]"):
        labels_of(write_json(path, content))


def test_bad_mask_is_skipped_on_request(tmp_path: Path) -> None:
    content = burst_json({0: LABELS})
    content["sequences"][0]["segmentations"][0]["1"]["rle"] = "oo"
    path = write_json(tmp_path / "b.json", content)
    with pytest.raises(PromptError, match="--on-bad-annotation skip goes on without it"):
        labels_of(path)
    leniency = Leniency(on_bad_annotation="skip")
    prompts = load_prompts(path, Entry(video_id="v", video="", prompts=""), None, leniency=leniency)
    assert np.array_equal(prompts.labels[0], np.where(LABELS == 2, 2, 0))


def _set(*keys: str | int, to: object) -> Change:
    def change(content: dict[str, Any]) -> None:
        at: Any = content["sequences"][0]
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(sequences=[]), "the JSON has no sequences"),
        (lambda content: content.update(sequences=[5]), r"the JSON's sequences is \[5\]; legal: a list of objects"),
        (_set("seq_name", to=5), "seq_name of a sequence is 5; legal: a text"),
        (_set("annotated_image_paths", to=[5]), r"annotated_image_paths of a sequence is \[5\]; legal: a list"),
        (_set("annotated_image_paths", to=["00000.jpg"]), "2 segmentations and 1 annotated_image_paths; legal: one"),
        (_set("annotated_image_paths", 1, to="0.jpg"), "'0.jpg', which is not among the 12 all_image_paths"),
        (_set("annotated_image_paths", 1, to="00000.jpg"), "annotated_image_paths say some frame twice"),
        (_set("all_image_paths", to=5), "all_image_paths of a sequence is 5; legal: a list of texts"),
        (_set("segmentations", to=[None, {}]), r"segmentations is \[None, {}\]; legal: a list of objects"),
        (_set("segmentations", 0, "x", to={}), "track 'x' has a mask, and track_category_ids has the tracks"),
        (_set("segmentations", 0, "1", to=None), "the mask of object 1 on frame 0 is None; legal: {'rle'"),
        (_set("segmentations", 0, "1", "rle", to=None), "its counts are None; legal: COCO's text"),
        (_set("height", to=None), "height of a sequence is None; legal: a whole number"),
        (_set("height", to=-24), "its size is 32x-24; legal: 1x1 to"),
        (_set("height", to=23), "its size 32x23 is 736"),
        (_set("track_category_ids", to={"1": 11}), "track '2' has a mask, .* has the tracks ..1..; legal: the same"),
        (_set("track_category_ids", to=[5]), r"track_category_ids is \[5\]; legal: a category id for each track id"),
        (_set("track_category_ids", "1", to=99), "category_id 99, which is not among the categories"),
    ],
)  # fmt: skip
def test_invalid_burst_json_raises_with_the_reason(change: Change, message: str, tmp_path: Path) -> None:
    content = burst_json(MASKS)
    change(content)
    with pytest.raises(PromptError, match=message) as error:
        labels_of(write_json(tmp_path / "b.json", content))
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(("track", "message"), [("x", "a track id is 'x'"), ("01", r"\['1', '2', '01'\], some number")])
def test_track_ids_are_different_numbers(track: str, message: str, tmp_path: Path) -> None:
    content = burst_json({0: LABELS})
    (sequence,) = content["sequences"]
    del sequence["track_category_ids"]
    sequence["segmentations"][0][track] = sequence["segmentations"][0]["1"]
    with pytest.raises(PromptError, match=message):
        labels_of(write_json(tmp_path / "b.json", content))
