"""CVAT's XML, for images and for video: the shapes, frames and objects that are read, and the errors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.errors import PromptError
from jobs.inputs.prompts.cvat import shapes as cvat_shapes
from jobs.inputs.prompts.cvat import xml_file
from jobs.inputs.prompts.leniency import Leniency
from jobs.inputs.prompts.load import load_prompts
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.records import Entry
from tests.jobs.inputs.prompts.kinds import cvat_images, cvat_tracks, labels_of, prompts_of, write_text

LABELS = np.zeros((24, 32), np.int32)
LABELS[3:11, 4:15] = 1
LABELS[3:5, 4:6] = 0  # the box has a corner that is not the object's
LABELS[12:20, 10:22] = 2
OTHER = np.flip(LABELS, axis=1).copy()
MASKS = {0: LABELS, 5: OTHER}
SIZE = "<original_size><width>32</width><height>24</height></original_size>"
MASK = '<mask label="ant" left="4" top="3" width="2" height="3" rle="1,5"/>'


def load(path: Path, *, frames: int | None = None, names: list[str] | None = None, **leniency: Any) -> Prompts:
    entry = Entry(video_id="v", video="", prompts="")
    return load_prompts(path, entry, names, frames=frames, leniency=Leniency(**leniency))


def _image(shapes: str, name: str = "v/00000.jpg", size: str = 'width="32" height="24"') -> str:
    return f'<image id="0" name="{name}" {size}>{shapes}</image>'


def _images(*images: str) -> str:
    return f"<annotations>{''.join(images)}</annotations>"


def _track(shapes: str, number: object = 0, size: str = "<height>24</height><width>32</width>") -> str:
    meta = f"<meta><task><original_size>{size}</original_size></task></meta>"
    return f'<annotations>{meta}<track id="{number}" label="ant">{shapes}</track></annotations>'


def test_runs_are_of_rows_within_the_box(tmp_path: Path) -> None:
    """As CVAT's own decoder reads them: 1 zero and 5 ones in a box 2 wide and 3 high."""
    expected = np.zeros((24, 32), np.int32)
    expected[3:6, 4:6] = [[0, 1], [1, 1], [1, 1]]
    assert np.array_equal(labels_of(write_text(tmp_path / "i.xml", _images(_image(MASK))))[0], expected)


def test_polygon_is_filled(tmp_path: Path) -> None:
    text = '<polygon label="ant" points="4.00,3.00;15.00,3.00;15.00,11.00;4.00,11.00" z_order="0"/>'
    (labels,) = labels_of(write_text(tmp_path / "i.xml", _images(_image(text)))).values()
    assert labels[3:11, 4:15].all()
    assert labels.sum() == 8 * 11


def test_shapes_of_images_without_track_ids_are_objects_of_their_own(tmp_path: Path) -> None:
    path = write_text(tmp_path / "i.xml", cvat_images(MASKS).replace("track_id", "colour"))
    prompts = prompts_of(path)
    assert {f: np.unique(m).tolist() for f, m in prompts.labels.items()} == {0: [0, 1, 2], 5: [0, 3, 4]}
    assert prompts.names == {1: "ant", 2: "bee", 3: "ant", 4: "bee"}
    assert any("each of 4 is an object of its own" in note for note in prompts.notes)


def test_images_of_several_videos_are_chosen_by_folder(tmp_path: Path) -> None:
    other = MASK.replace('top="3"', 'top="13"')
    path = write_text(tmp_path / "i.xml", _images(_image(MASK), _image(other, "clips/w/00002.jpg")))
    assert list(labels_of(path)) == [0]
    for video_id in ("w", "clips/w"):
        assert list(labels_of(path, video_id=video_id)) == [2]
    with pytest.raises(PromptError, match="of the XML's 2 videos none is called 'x'.* or write one XML for each video"):
        labels_of(path, video_id="x")


def test_images_of_a_video_task_are_numbered_by_name(tmp_path: Path) -> None:
    """CVAT calls the frames of a video frame_000005, and its images by their files."""
    path = write_text(tmp_path / "i.xml", cvat_images(MASKS).replace("v/00005.jpg", "v/frame_000005"))
    assert list(labels_of(path)) == [0, 5]
    path = write_text(tmp_path / "i.xml", cvat_images(MASKS))
    assert list(labels_of(path, ["00000", "00003", "00005"])) == [0, 2]


def test_track_ids_from_0_are_read_one_higher_with_a_note(tmp_path: Path) -> None:
    path = write_text(tmp_path / "t.xml", cvat_tracks(MASKS))
    prompts = prompts_of(path)
    assert np.array_equal(prompts.labels[5], OTHER)
    assert any("object 1 is track 0" in note for note in prompts.notes)
    prompts = prompts_of(write_text(path, _track(MASK.replace("<mask", '<mask frame="0"'), number=7)))
    assert prompts.names == {7: "ant"}
    assert prompts.notes == ()


@pytest.mark.parametrize(
    ("others", "note"),
    [('keyframe="0" outside="0"', "CVAT interpolated, are no prompts: 1"), ('keyframe="1" outside="1"', "remove does")],
)
def test_only_keyframes_inside_are_prompts(others: str, note: str, tmp_path: Path) -> None:
    text = cvat_tracks(MASKS).replace('frame="5" keyframe="1" outside="0"', f'frame="5" {others}', 1)
    prompts = prompts_of(write_text(tmp_path / "t.xml", text))
    assert np.unique(prompts.labels[5]).tolist() == [0, 2]
    assert any(note in found for found in prompts.notes)


def test_shape_without_keyframe_and_outside_is_a_prompt(tmp_path: Path) -> None:
    assert list(labels_of(write_text(tmp_path / "t.xml", _track(MASK.replace("<mask", '<mask frame="3"'))))) == [3]


def test_frames_of_a_task_with_a_step_are_those_of_the_video(tmp_path: Path) -> None:
    """CVAT numbers shapes by the frames of the video, also where a task starts later and leaves frames out."""
    text = cvat_tracks({10: LABELS, 25: OTHER}, size=5, start_frame=10, stop_frame=30, frame_filter="step=5")
    path = write_text(tmp_path / "t.xml", text)
    assert list(load(path).labels) == [10, 25]
    assert list(load(path, frames=100).labels) == [10, 25]
    assert list(load(path, names=[f"{f:05d}" for f in range(31)]).labels) == [10, 25]
    assert list(load(path, names=[f"{f:05d}" for f in range(10, 31, 5)]).labels) == [0, 3]  # of the task alone
    for count in (6, 30):
        with pytest.raises(
            PromptError, match=f"task of 5 frames up to stop_frame 30.* folder of {count} images; legal"
        ):
            load(path, names=[str(f) for f in range(count)])


def test_task_of_a_longer_video_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path / "t.xml", cvat_tracks(MASKS, size=50, stop_frame=49))
    with pytest.raises(PromptError, match="task of 50 frames up to stop_frame 49, and the video has 12 frames; le"):
        load(path, frames=12)
    assert list(load(path, frames=50).labels) == list(load(path, frames=120).labels) == list(load(path).labels)


def test_task_of_images_is_of_as_many_images(tmp_path: Path) -> None:
    """Its frames are places among its own images, which may be some of the folder's."""
    text = cvat_tracks(MASKS)
    text = text[: text.index("<original_size>")] + text[text.index("</original_size>") + len("</original_size>") :]
    path = write_text(tmp_path / "t.xml", text)
    size = LABELS.shape
    assert list(labels_of(path, [f"{f}" for f in range(12)], size=size)) == [0, 5]
    with pytest.raises(PromptError, match="a task of 12 frames .* a folder of 40 images"):
        labels_of(path, [f"{f}" for f in range(40)], size=size)
    with pytest.raises(PromptError, match="does not say the size of its frames; legal: original_size"):
        labels_of(path)


def test_meta_of_a_job_is_read(tmp_path: Path) -> None:
    """CVAT writes a job's original_size beside the job."""
    text = cvat_tracks(MASKS, start_frame=1).replace("task>", "job>")
    inner = text[text.index("<original_size>") : text.index("</job>")]
    text = text.replace(inner, "").replace("</job>", f"</job>{inner}")
    with pytest.raises(PromptError, match="a shape is of frame 0, and the frames of the task are from start_frame 1"):
        labels_of(write_text(tmp_path / "t.xml", text))
    assert list(labels_of(write_text(tmp_path / "t.xml", text.replace("frame>1<", "frame>0<")))) == [0, 5]


@pytest.mark.parametrize("is_of_images", [True, False])
def test_shape_in_front_is_the_later_one(is_of_images: bool, tmp_path: Path) -> None:
    """CVAT's z_order says which of two is in front: --overlap later then gives it their pixels."""
    whole = '<mask frame="0" rle="0,768" left="0" top="0" width="32" height="24" z_order="{}"/>'
    part = MASK.replace("<mask", '<mask frame="0"')

    def ids(depth: int, **leniency: Any) -> list[int]:
        shapes = whole.format(depth), part
        tracks = f'{shapes[0]}</track><track id="1">{shapes[1]}'
        text = _images(_image("".join(shapes))) if is_of_images else _track(tracks)
        return [int(i) for i in np.unique(load(write_text(tmp_path / "x.xml", text), **leniency).labels[0])]

    assert ids(3, overlap="later") == [1]
    assert ids(-3, overlap="later") == [1, 2]
    with pytest.raises(PromptError, match="overlap on frame 0"):
        ids(3)


def test_bad_shape_is_skipped_on_request(tmp_path: Path) -> None:
    box = '<box label="ant" xtl="1" ytl="2" xbr="9" ybr="9"/>'
    path = write_text(tmp_path / "i.xml", _images(_image(box + MASK)))
    with pytest.raises(
        PromptError, match="object 1 on frame 0 is a box; legal: mask or polygon, .*--on-bad-annotation"
    ):
        load(path)
    prompts = load(path, on_bad_annotation="skip")
    assert np.unique(prompts.labels[0]).tolist() == [0, 2]
    assert any("box 1 of the XML is left out" in note for note in prompts.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation/>", "have the root 'annotation', with 0 of image and 0 of track; legal: annotations, with one"),
        ("<annotations/>", "with 0 of image and 0 of track"),
        (_images(_image(MASK), '<track id="0"/>'), "with 1 of image and 1 of track"),
        (_images(_image(MASK), _image(MASK)), "two images of the XML are called 'v/00000.jpg'"),
        (_images(_image(MASK), _image(MASK, "v/0.jpg")), "images of the XML say some frame twice"),
        (_images(_image(MASK, "")), "an image of the XML has no name"),
        (_images(_image(MASK, "v/first.jpg")), "first.jpg says no frame"),
        (_images(_image(MASK, size='width="32"')), "height of a image is None; legal: a whole number"),
        (_images(_image(MASK, size='width="0" height="24"')), "in a frame of 0x24; legal: 1x1 to"),
        (_images(_image(MASK.replace('rle="1,5"', ""))), "the rle of object 1 on frame 0 is ''; legal: whole numbers"),
        (_images(_image(MASK.replace("1,5", "1,+5"))), r"the rle of object 1 on frame 0 is '1,\+5'"),
        (_images(_image(MASK.replace("1,5", "1,4"))), "are 5 pixels together, and its box 2x3 is 6; legal: the same"),
        (_images(_image(MASK.replace('"4"', '"31"'))), "left 31, top 3, width 2, height 3; legal: .* 32x24"),
        (_images(_image(MASK.replace('"4"', '"-4"'))), "left of a mask is '-4'; legal: a whole number"),
        (_images(_image('<polygon label="ant" points="1,2;3"/>')), "points of object 1 on frame 0 is '1,2;3'; legal"),
        (_images(_image('<polygon label="ant"/>')), "points of object 1 on frame 0 is ''"),
        (_images(_image('<polygon points="1,2;3,4;60,nan"/>')), "a polygon has the coordinate nan; legal"),
        (_images(_image("<tag/>")), "hold no object"),
        (_track(MASK), "frame of a mask is None; legal: a whole number"),
        (_track(MASK.replace("<mask", '<mask frame="0" keyframe="yes"')), "keyframe of a mask is 'yes'"),
        (_track(MASK, number="x"), "id of a track is 'x'"),
        (_track(MASK, size="<height>x</height>"), "height of the XML's original_size is 'x'"),
        (cvat_tracks(MASKS).replace('id="1"', 'id="0"'), "several tracks have the id 0; legal: an id for each"),
        (cvat_tracks(MASKS, frame_filter="x=2"), "frame_filter of the XML's task is 'x=2'; legal: step=5, or nothing"),
        (cvat_tracks(MASKS, frame_filter="step=2"), "a shape is of frame 5, .* with step=2; legal: one of these"),
        (cvat_tracks(MASKS, stop_frame=4), "a shape is of frame 5, .* to stop_frame 4"),
        (cvat_tracks(MASKS, start_frame="x"), "start_frame of the XML's task is 'x'"),
        (cvat_tracks(MASKS).replace("<name>ant</name>", "<name>elk</name>"), r"'ant', .* \['bee', 'cat', 'elk'"),
        (cvat_images(MASKS).replace('width="32" height="24"', 'width="32" height="48"', 1), "is 32x48 by its width"),
    ],
)  # fmt: skip
def test_invalid_cvat_xml_raises_with_the_reason(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=message) as error:
        labels_of(write_text(tmp_path / "c.xml", text))
    assert len(str(error.value)) < 500


def test_project_of_several_tasks_raises(tmp_path: Path) -> None:
    """CVAT adds the lengths of the tasks before to each frame's number."""
    text = cvat_tracks(MASKS)
    task = text[text.index("<task>") : text.index("</meta>")]
    for tasks, is_legal in ((task, True), (task.replace("<task>", "<task><name>w</name>") + task, False)):
        path = write_text(tmp_path / "t.xml", text.replace(task, f"<project><tasks>{tasks}</tasks></project>"))
        if is_legal:
            assert list(labels_of(path)) == [0, 5]
            labels = "<labels><label><name>elk</name></label></labels>"
            other = text.replace(task, f"<project>{labels}<tasks><task>{SIZE}</task></tasks></project>")
            with pytest.raises(PromptError, match=r"the label 'ant', and the labels of the XML are \['elk'\]"):
                labels_of(write_text(path, other))
        else:
            with pytest.raises(PromptError, match=r"a project of 2 tasks, \['w'\], .* export of each task by itself"):
                labels_of(path)


def test_huge_xml_is_refused_before_parsing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_text(tmp_path / "t.xml", cvat_tracks(MASKS))
    memory = path.read_text().count("<") * 500 + path.read_text().count("=") * 250
    for name, bound in (("MAX_BYTES", path.stat().st_size), ("MAX_MEMORY", memory)):
        with monkeypatch.context() as patch:
            patch.setattr(xml_file, name, bound)
            assert labels_of(path)
            patch.setattr(xml_file, name, bound - 1)
            patch.setattr(xml_file, "XMLParser", None)
            with pytest.raises(PromptError, match=f"{bound:,} bytes.*; legal: up to {bound - 1:,}. Write an XML for"):
                labels_of(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as XML: 'no element found"),
        ("<a>", "cannot be read as XML: 'no element found"),
        ("<a>\xff</a>", "cannot be read as XML: .*utf-8"),
        ("<a>&lol;</a>", "cannot be read as XML: 'undefined entity"),
        ("<a>" * 30, "elements lie more than 20 deep"),
        ("<!DOCTYPE a><a/>", "have a DTD; legal: XML without <!DOCTYPE>"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>', "have a DTD"),
        (f"<a {' '.join(f'b{n}=_' for n in range(101))}/>", "more than 100 attributes"),
    ],
)
def test_unreadable_xml_raises(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_bytes(text.encode("latin-1"))
    with pytest.raises(PromptError, match=message):
        labels_of(tmp_path / "x.xml")


def test_endless_shapes_are_refused_before_they_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cvat_shapes, "MAX_RUNS", 3)
    with pytest.raises(PromptError, match="has 4 runs; legal: up to 3"):
        labels_of(write_text(tmp_path / "i.xml", _images(_image(MASK.replace("1,5", "1,2,1,2")))))
    for points in ("1,1;" * 100_000, "1;" * 100_000):
        polygon = f'<polygon label="ant" points="{points}1,2"/>'
        with pytest.raises(PromptError, match="has 100,001 points; legal: up to 100,000"):
            labels_of(write_text(tmp_path / "i.xml", _images(_image(polygon))))
    with pytest.raises(PromptError, match="has 1 points; legal: up to 100,000"):
        labels_of(write_text(tmp_path / "i.xml", _images(_image(f'<polygon points="{"," * 100_001}"/>'))))
