"""Prompts become label maps of the right frames; unusable masks raise with the remedy."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from jobs.errors import PromptError
from jobs.inputs.prompts.frame_size import fit
from jobs.inputs.prompts.prompt_builder import MAX_OBJECTS
from jobs.outputs import rle, store
from jobs.outputs.label_maps import to_image
from jobs.outputs.palette import voc_palette
from tests.jobs.inputs.hostile import prompt_row
from tests.jobs.inputs.prompts.kinds import labels_of

LABELS = np.zeros((6, 8), np.int32)
LABELS[1:3, 1:4] = 1
LABELS[3:5, 4:7] = 2


def write(path: Path, labels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    to_image(labels).save(path)
    return path


@pytest.mark.parametrize("highest", [2, 254, 256, 300, 65_535])
def test_indexed_png_keeps_any_ids(highest: int, tmp_path: Path) -> None:
    labels = np.where(LABELS == 2, highest, LABELS)
    prompts = labels_of(write(tmp_path / "mask.png", labels), start=7)
    assert list(prompts) == [7]
    assert np.array_equal(prompts[7], labels)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_and_binary_masks_are_read(mode: str, tmp_path: Path) -> None:
    Image.fromarray(((LABELS == 1) * 255).astype(np.uint8)).convert(mode).save(tmp_path / "m.png")
    (labels,) = labels_of(tmp_path / "m.png").values()
    assert np.array_equal(labels > 0, LABELS == 1)


def test_mask_names_give_frame_numbers_of_a_video_file(tmp_path: Path) -> None:
    for name in ("00003", "frame_12", "mask7", "._00003"):
        write(tmp_path / f"{name}.png", LABELS)
    assert list(labels_of(tmp_path)) == [3, 7, 12]


def test_two_masks_of_one_frame_raise(tmp_path: Path) -> None:
    for name in ("00003", "mask_3"):
        write(tmp_path / f"{name}.png", LABELS)
    with pytest.raises(PromptError, match=r"00003\.png and mask_3\.png are of one frame"):
        labels_of(tmp_path)


def test_mask_names_match_images_of_an_image_folder(tmp_path: Path) -> None:
    write(tmp_path / "00010.png", LABELS)
    assert list(labels_of(tmp_path, names=["00000", "00005", "00010"])) == [2]


def test_mask_name_without_a_frame_raises(tmp_path: Path) -> None:
    write(tmp_path / "00011.png", LABELS)
    with pytest.raises(PromptError, match=r"00011\.png says no frame; its name must be a frame's name, such as 00000"):
        labels_of(tmp_path, names=["00000", "00005"])
    write(tmp_path / "first.png", LABELS)
    with pytest.raises(PromptError, match=r"first\.png says no frame; its name must be a number"):
        labels_of(tmp_path)


def test_first_masks_only_keeps_each_objects_first_frame(tmp_path: Path) -> None:
    write(tmp_path / "00000.png", np.where(LABELS == 1, 1, 0))
    write(tmp_path / "00001.png", LABELS)
    write(tmp_path / "00002.png", LABELS)
    prompts = labels_of(tmp_path, first_masks_only=True)
    assert {frame: set(np.unique(labels)) for frame, labels in prompts.items()} == {0: {0, 1}, 1: {0, 2}}


def test_void_is_no_object_with_first_masks_only(tmp_path: Path) -> None:
    void = LABELS.copy()
    void[5] = 255
    write(tmp_path / "00000.png", void)
    (labels,) = labels_of(tmp_path, first_masks_only=True).values()
    assert np.array_equal(labels, LABELS)
    write(tmp_path / "00000.png", (LABELS == 1) * 255)  # the one object of DAVIS 2016
    (labels,) = labels_of(tmp_path, first_masks_only=True).values()
    assert set(np.unique(labels)) == {0, 255}


def test_output_of_an_earlier_run_gives_its_prompts(tmp_path: Path) -> None:
    """The other masks of the output are a network's results."""
    rows = [
        dict(
            video_id=video, frame_index=frame, frame_name=None, pts_seconds=0.5, object_id=object_id, height=6, width=8,
            counts=mask.counts, area=mask.area, box=mask.box, score=1.0, is_prompt=frame == 4,
        )
        for video in ("other", "v")
        for frame in (4, 5)
        for object_id, mask in zip((1, 2), rle.encode(LABELS, (1, 2)), strict=True)
    ]  # fmt: skip
    with store.MaskWriter(tmp_path / "masks.parquet") as writer:
        writer.add(store.masks_table(rows))
    for path in (tmp_path / "masks.parquet", tmp_path):
        prompts = labels_of(path)
        assert list(prompts) == [4]
        assert np.array_equal(prompts[4], LABELS)
    with pytest.raises(PromptError, match=r"no prompt of video_id 'w'; they hold \['other', 'v'\]"):
        labels_of(tmp_path / "masks.parquet", video_id="w")
    table = pq.read_table(tmp_path / "masks.parquet").drop_columns(["is_prompt", "score", "box"])
    pq.write_table(table, tmp_path / "own.parquet")
    assert list(labels_of(tmp_path / "own.parquet")) == [4, 5]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_masks_with_transparency_raise(mode: str, tmp_path: Path) -> None:
    Image.new(mode, (8, 6)).save(tmp_path / "m.png")
    with pytest.raises(PromptError, match=f"colour image .{mode}.; legal: indexed or grey"):
        labels_of(tmp_path / "m.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_of_the_palette_are_ids(mode: str, tmp_path: Path) -> None:
    ids = np.arange(256).reshape(16, 16)
    Image.fromarray(voc_palette()[ids]).convert(mode).save(tmp_path / "m.png")
    assert np.array_equal(labels_of(tmp_path / "m.png", void=0)[0], ids)


@pytest.mark.parametrize(
    ("colour", "found"), [((255, 0, 0), r"the colours \[\[255, 0, 0\]\]"), (None, "more than 256 colours")]
)
def test_unknown_colours_raise(colour: tuple[int, int, int] | None, found: str, tmp_path: Path) -> None:
    """Chosen by hand, or mixed by soft edges and dithering."""
    image = voc_palette()[np.arange(256).reshape(16, 16) % 3]
    if colour:
        image[2:4, 2:4] = colour
    else:
        image = np.stack(np.meshgrid(np.arange(20), np.arange(20), [7])[:2], axis=-1)[:, :, 0]
        image = np.dstack((image, image[..., 0])).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "m.png")
    with pytest.raises(PromptError, match=f"m.png is a colour image with {found}, which are not the VOC / DAVIS"):
        labels_of(tmp_path / "m.png")


def test_manifest_says_whether_255_is_void(tmp_path: Path) -> None:
    labels = np.where(LABELS == 2, 255, LABELS)
    path = write(tmp_path / "00000.png", labels)
    for prompts in (path, tmp_path):
        with pytest.raises(PromptError, match=r"255 beside \[1\].*manifest's column void: 255, or none"):
            labels_of(prompts)
        assert np.array_equal(labels_of(prompts, void=255)[0], np.where(LABELS == 1, 1, 0))
        assert np.array_equal(labels_of(prompts, void=0)[0], labels)
    write(path, np.where(LABELS == 2, 255, 0))
    assert np.unique(labels_of(path)[0]).tolist() == [0, 255]
    write(tmp_path / "00001.png", np.where(LABELS == 1, 1, 0))  # all masks of the video decide together
    with pytest.raises(PromptError, match="255 beside"):
        labels_of(tmp_path)
    with pytest.raises(PromptError, match="hold no object"):
        labels_of(path, void=255)


def test_folder_of_two_kinds_raises(tmp_path: Path) -> None:
    write(tmp_path / "00000.png", LABELS)
    (tmp_path / "thumbnails").mkdir()
    assert labels_of(tmp_path)
    write(tmp_path / "dog/00000.png", LABELS == 1)
    with pytest.raises(
        PromptError, match="0 .parquet, 1 .png and 2 folders, with .png in some; legal: prompts of one kind"
    ):
        labels_of(tmp_path)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_soft_edges_raise(ending: str, tmp_path: Path) -> None:
    """Each value would be an object, hundreds in all."""
    distance = np.hypot(*(np.mgrid[:200, :200] - 100))
    Image.fromarray(np.clip((60 - distance) * 30 + 128, 0, 255).astype(np.uint8)).save(tmp_path / f"m.{ending}")
    with pytest.raises(PromptError, match="legal: one value an object"):
        labels_of(tmp_path / f"m.{ending}")


def test_many_objects_in_grey_are_not_soft_edges(tmp_path: Path) -> None:
    labels = np.kron(np.arange(100).reshape(10, 10), np.ones((10, 10))).astype(np.uint8)
    Image.fromarray(labels).save(tmp_path / "m.png")
    (found,) = labels_of(tmp_path / "m.png").values()
    assert np.array_equal(found, labels)


def test_prompts_without_an_object_raise(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="hold no object"):
        labels_of(write(tmp_path / "m.png", np.zeros_like(LABELS)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(PromptError, match="holds no .parquet, no .png and no folder with .png"):
        labels_of(tmp_path / "empty")
    Image.new("L", (8, 6)).save(tmp_path / "empty/00000.jpg")
    with pytest.raises(PromptError, match="It has 1 JPEG, whose edges are soft: save masks as PNG"):
        labels_of(tmp_path / "empty")


def test_damaged_mask_raises(tmp_path: Path) -> None:
    path = write(tmp_path / "m.png", LABELS)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(PromptError, match=r"m\.png cannot be read"):
        labels_of(path)


def test_mask_a_pixel_narrow_is_resized() -> None:
    labels = np.zeros((480, 853), np.int32)
    labels[100:200, 300:400] = 3
    fitted = fit(labels, 480, 854)
    assert fitted.shape == (480, 854)
    assert abs(int((fitted == 3).sum()) - 10_000) <= 100
    assert fit(fitted, 480, 854) is fitted


def test_mask_of_another_size_raises() -> None:
    with pytest.raises(PromptError, match="a mask is 427x240, its frame 854x480"):
        fit(np.zeros((240, 427), np.int32), 480, 854)


@pytest.mark.parametrize("objects", [MAX_OBJECTS, MAX_OBJECTS + 1])
def test_too_many_objects_raise(objects: int, tmp_path: Path) -> None:
    """A PNG of 16 bits can hold 65,535 objects, and each costs memory and time on every frame."""
    labels = np.arange(objects + 1, dtype=np.int32).reshape(1, -1).repeat(2, axis=0)
    path = write(tmp_path / "m.png", labels)
    if objects <= MAX_OBJECTS:
        assert np.array_equal(labels_of(path)[0], labels)
    else:
        with pytest.raises(PromptError, match=f"{objects} objects or more; legal: up to {MAX_OBJECTS} in a video"):
            labels_of(path)


@pytest.mark.parametrize("ending", ["png", "parquet"])
def test_mask_larger_than_its_frame_is_not_decoded(ending: str, tmp_path: Path) -> None:
    """A file can hold thousands of masks, each 200 times as large as the frame."""
    path = tmp_path / f"m.{ending}"
    if ending == "png":
        write(path, np.ones((48, 64), np.int32))
    else:
        pq.write_table(pa.Table.from_pylist([prompt_row()]), path)
    assert labels_of(path, size=(48, 64))
    with pytest.raises(PromptError, match="a mask is 64x48, its frame 48x32"):
        labels_of(path, size=(32, 48))


def test_negative_id_raises(tmp_path: Path) -> None:
    """TIFFs of 32 bits can hold them."""
    Image.fromarray(np.where(LABELS == 2, -5, LABELS).astype(np.int32)).save(tmp_path / "m.tif")
    with pytest.raises(PromptError, match="holds -5; legal: 0 where there is no object"):
        labels_of(tmp_path / "m.tif")
