"""Masks in NumPy's .npz: the frames and objects that are read, and the errors."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.errors import PromptError
from jobs.inputs.limits import VideoLimits
from jobs.inputs.prompts.arrays import npz_file
from jobs.inputs.prompts.leniency import Leniency
from jobs.inputs.prompts.load import load_prompts
from jobs.records import Entry
from tests.jobs.inputs.prompts.kinds import labels_of, prompts_of

LABELS = np.zeros((24, 32), np.int32)
LABELS[3:11, 4:15] = 1
LABELS[12:20, 10:22] = 2
OTHER = np.flip(LABELS, axis=1).copy()
BOTH = np.stack([LABELS, OTHER])
OBJECTS = np.stack([BOTH == 1, BOTH == 2], axis=1)  # frames, objects, height, width
IMAGES = [f"{f:05d}" for f in range(12)]


def npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "m.npz", **arrays)
    return folder / "m.npz"


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64, ">i2"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_any_integers_are_label_maps(dtype: Any, save: Any, tmp_path: Path) -> None:
    save(tmp_path / "m.npz", **{"0": LABELS.astype(dtype), "5": OTHER.astype(dtype)})
    labels = labels_of(tmp_path / "m.npz")
    assert list(labels) == [0, 5]
    assert np.array_equal(labels[5], OTHER)
    assert labels[5].dtype == np.int32


def test_names_are_those_of_images_or_else_indices(tmp_path: Path) -> None:
    assert list(labels_of(npz(tmp_path, **{"00003": LABELS}), IMAGES)) == [3]
    assert list(labels_of(npz(tmp_path, **{"3": LABELS, "10": LABELS}), IMAGES)) == [3, 10]
    assert list(labels_of(npz(tmp_path, **{"3": LABELS}), ["1", "2", "3"])) == [2]
    with pytest.raises(PromptError, match="mask 0 says no frame; its name must be a frame's name, such as 10"):
        labels_of(npz(tmp_path, **{"0": LABELS, "10": LABELS}), ["10", "20"])
    assert list(labels_of(npz(tmp_path, **{"frame_00003": LABELS}))) == [3]
    assert list(labels_of(npz(tmp_path, **{"3": LABELS}), first_frame=1)) == [2]


def test_masks_are_label_maps_of_frames(tmp_path: Path) -> None:
    for arrays, frames in ((dict(masks=BOTH), [0, 1]), (dict(masks=BOTH, frames=[4, 2]), [4, 2])):
        labels = labels_of(npz(tmp_path, **arrays))
        for frame, expected in zip(frames, BOTH, strict=True):
            assert np.array_equal(labels[frame], expected)
    with pytest.raises(PromptError, match="masks are of 2 frames, and the video has 12; legal: one for each frame, or"):
        labels_of(npz(tmp_path, masks=BOTH), IMAGES)
    assert list(labels_of(npz(tmp_path, masks=BOTH, frames=[4, 2]), IMAGES)) == [2, 4]
    assert list(labels_of(npz(tmp_path, masks=BOTH == 1), IMAGES[:2])) == [0, 1]
    with pytest.raises(PromptError, match="first_frame is 1, and the masks of an array without frames are in"):
        labels_of(npz(tmp_path, masks=BOTH), first_frame=1)
    assert list(labels_of(npz(tmp_path, masks=BOTH, frames=[1, 4]), first_frame=1)) == [0, 3]


def test_masks_of_objects_have_the_ids_of_object_ids(tmp_path: Path) -> None:
    for ids, expected in (([1, 2], LABELS), ([7, 3], np.array([0, 7, 3])[LABELS]), ([0, 1], LABELS)):
        prompts = prompts_of(npz(tmp_path, masks=OBJECTS, object_ids=ids, frames=[3, 9], scores=np.ones(3, int)))
        assert list(prompts.labels) == [3, 9]
        assert np.array_equal(prompts.labels[3], expected)
        assert any("not read: ['scores']" in note for note in prompts.notes)
        assert any("object 1 is 0" in note for note in prompts.notes) == (0 in ids)


def test_void_is_no_object(tmp_path: Path) -> None:
    path = npz(tmp_path, masks=np.where(LABELS == 2, 255, LABELS)[None])
    with pytest.raises(PromptError, match="the masks hold 255 beside .*column void"):
        labels_of(path)
    assert np.unique(labels_of(path, void=255)[0]).tolist() == [0, 1]
    assert np.unique(labels_of(path, void=0)[0]).tolist() == [0, 1, 255]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (dict(arr_0=LABELS), r"'arr_0' was saved without a name, .* np.savez\(path, \*\*{str\(frame\): labels}\)"),
        (dict(a=LABELS), "mask a says no frame"),
        ({"3": LABELS, "03": LABELS}, "several arrays are of frame 3; legal: one"),
        ({"3": BOTH}, r"array '3' has the shape \(2, 24, 32\); legal: an array \(height, width\) for each frame"),
        ({"3": -LABELS}, "array '3' holds -2; legal: 0 to"),
        ({"3": LABELS.astype(np.int64) << 40}, "array '3' holds 2199023255552; legal: 0 to"),
        ({"3": LABELS / 3}, r"'3.npy' is float64 of shape \(24, 32\).*; legal: whole numbers, or True and False, such"),
        ({"3": LABELS.astype("S1")}, r"is \|S1 of shape"),
        ({"3": np.array([LABELS, {}], object)}, "'3.npy' is object of shape"),
        ({"3": np.zeros((0, 5), int)}, r"is int64 of shape \(0, 5\)"),
        ({"3": np.asfortranarray(LABELS)}, "in Fortran's order; legal: np.ascontiguousarray"),
        (dict(masks=LABELS), r"array 'masks' has the shape \(24, 32\)"),
        (dict(masks=OBJECTS), r"array 'masks' has the shape \(2, 2, 24, 32\)"),
        (dict(masks=BOTH, object_ids=[1, 2]), r"array 'masks' has the shape \(2, 24, 32\)"),
        (dict(masks=BOTH, frames=[1, 2, 3]), r"array frames is int64 of shape \(3,\); legal: 2 whole numbers, \(2,\)"),
        (dict(masks=BOTH, frames=[True, False]), "array frames is bool"),
        (dict(masks=BOTH, frames=[1, 1]), r"frames are \[1, 1\], some twice"),
        (dict(masks=BOTH, frames=[-1, 1]), "a mask is of frame -1"),
        (dict(masks=OBJECTS, object_ids=[1, 1]), r"object_ids are \[1, 1\], some twice"),
        (dict(masks=OBJECTS, object_ids=[-1, 1]), "an object's id is -1"),
        (dict(masks=np.stack([BOTH, BOTH], 1), object_ids=[1, 2]), r"has the values \[1, 2\] beside 0; legal: one"),
        (dict(masks=BOTH * 0), "hold no object"),
        ({}, "hold no object"),
    ],
)  # fmt: skip
def test_invalid_npz_raises_with_the_reason(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=message) as error:
        labels_of(npz(tmp_path, **arrays))
    assert len(str(error.value)) < 500


def test_soft_edges_raise(tmp_path: Path) -> None:
    soft = np.tile(np.clip(np.arange(60) - 10, 0, 40) * 5, (50, 1)).astype(np.uint8)
    with pytest.raises(PromptError, match="between its objects', as smoothing makes them.* mask > 100"):
        labels_of(npz(tmp_path, **{"3": soft}))


def test_bad_array_is_skipped_on_request(tmp_path: Path) -> None:
    path = npz(tmp_path, **{"0": LABELS, "3": BOTH})
    leniency = Leniency(on_bad_annotation="skip")
    prompts = load_prompts(path, Entry(video_id="v", video="", prompts=""), None, leniency=leniency)
    assert list(prompts.labels) == [0]
    assert any("array '3' is left out" in note for note in prompts.notes)


def _zip(path: Path, *members: tuple[str, bytes], **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def npy(shape: str = "(24, 32)", descr: str = "'|u1'", values: bytes = bytes(24 * 32), version: int = 1) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return (
        b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<L", len(header)) + header + values
    )


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (("0.npy", npy("(10**9,)")), "cannot be read as .npz"),
        (("0.npy", npy("(1000000000, 1000000000)")), r"'0.npy' is uint8 of shape \(1000000000, .* in 8"),
        (("0.npy", npy("(24, 31)")), r"is uint8 of shape \(24, 31\) in 8.* bytes"),
        (("0.npy", npy(descr="'|O'")), "is object of shape"),
        (("0.npy", npy(version=2)), r"'0.npy' has the version \(2, 0\); legal: \(1, 0\)"),
        (("0.npy", npy("(" * 3_000)), "cannot be read as .npz"),
        (("0.npy", npy("(" + "-" * 9_000 + "1,)")), "cannot be read as .npz"),
        (("0.npy", b"\x80\x04." * 9), "cannot be read as .npz: .*magic"),
        (("0.pkl", b""), "it holds '0.pkl'; legal: arrays alone"),
        (("../0.npy", npy("(24, 31)")), "'../0.npy' is uint8"),
    ],
)
def test_header_that_the_values_contradict_is_refused(member: tuple[str, bytes], message: str, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=message) as error:
        labels_of(_zip(tmp_path / "m.npz", member))
    assert len(str(error.value)) < 500


def test_damaged_and_strange_archives_raise(tmp_path: Path) -> None:
    path = npz(tmp_path, **{"0": LABELS})
    content = path.read_bytes()
    values = content.index(LABELS.tobytes())
    flipped = content[: values + 500] + b"\x01" + content[values + 501 :]
    for changed, message in (
        (b"", "does not end as np.savez ends it"),
        (content[:-5], "does not end as np.savez ends it"),
        (flipped, "cannot be read as .npz: Bad CRC-32"),
        (content[:100] + content[200:], "cannot be read as .npz"),
    ):
        path.write_bytes(changed)
        with pytest.raises(PromptError, match=message):
            labels_of(path)
    for options in ({"compression": zipfile.ZIP_LZMA}, {"compression": zipfile.ZIP_BZIP2}):
        with pytest.raises(PromptError, match="it holds '0.npy'; legal: arrays alone, as np.savez writes them"):
            labels_of(_zip(path, ("0.npy", npy()), **options))
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        pytest.raises(PromptError, match="two of its arrays have one name"),
    ):
        labels_of(_zip(path, ("0.npy", npy()), ("0.npy", npy())))


def test_sizes_are_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = npz(tmp_path, masks=BOTH)
    directory = zipfile.ZipFile(path).start_dir
    sizes = {"MAX_BYTES": sum(i.file_size for i in zipfile.ZipFile(path).infolist()), "MAX_DIRECTORY": 0}
    sizes["MAX_DIRECTORY"] = path.stat().st_size - directory - 22
    for name, bound in sizes.items():
        with monkeypatch.context() as patch:
            patch.setattr(npz_file, name, bound)
            assert labels_of(path)
            patch.setattr(npz_file, name, bound - 1)
            patch.setattr(zipfile.ZipFile, "open", None)
            with pytest.raises(PromptError, match=f"{bound:,} bytes; legal: up to {bound - 1:,}"):
                labels_of(path)


def test_mask_of_another_size_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = npz(tmp_path, masks=BOTH)
    monkeypatch.setattr(np, "frombuffer", None)
    with pytest.raises(PromptError, match="a mask is 32x24, its frame 64x48"):
        labels_of(path, size=(48, 64))


@pytest.mark.parametrize(("limit", "bound"), [("max_pixels", 24 * 32), ("max_frames", 2)])
def test_too_many_pixels_or_masks_are_refused_before_they_are_read(
    limit: str, bound: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = npz(tmp_path, masks=BOTH)
    monkeypatch.setattr(VideoLimits, limit, bound)
    assert labels_of(path)
    monkeypatch.setattr(VideoLimits, limit, bound - 1)
    monkeypatch.setattr(np, "frombuffer", None)
    with pytest.raises(PromptError, match=r"has the shape \(2, 24, 32\); legal: up to [0-9,]+ pixels a mask, and"):
        labels_of(path)


def test_buffer_of_arrays_is_no_file(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.save(content, LABELS)
    (tmp_path / "m.npz").write_bytes(content.getvalue())
    with pytest.raises(PromptError, match="does not end as np.savez ends it"):
        labels_of(tmp_path / "m.npz")
