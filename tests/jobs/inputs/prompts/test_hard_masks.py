"""Pixel values that are no objects' are recognised: soft edges, void, and numbers of a packed palette."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.errors import PromptError
from jobs.inputs.prompts.images.soft_edges import soft_values
from jobs.outputs.palette import voc_palette
from tests.jobs.inputs.prompts.kinds import labels_of

DISC = np.hypot(*(np.mgrid[:60, :80] - np.array([30, 40])[:, None, None])) < 18
BLACK, RED, GREEN, OWN = (0, 0, 0), (128, 0, 0), (0, 128, 0), (250, 50, 83)


@pytest.mark.parametrize("highest", [1, 2, 100, 200, 255])
@pytest.mark.parametrize("resample", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX])
@pytest.mark.parametrize("size", [(40, 30), (60, 45), (120, 90), (160, 120)])
def test_resampled_mask_is_refused(
    highest: int, resample: Image.Resampling, size: tuple[int, int], tmp_path: Path
) -> None:
    """Whatever its highest value; where no value between came out, the mask is as good as a hard one."""
    Image.fromarray((DISC * highest).astype(np.uint8)).resize(size, resample).save(tmp_path / "m.png")
    values = np.unique(np.asarray(Image.open(tmp_path / "m.png")))
    if len(values) == 2:
        assert len(labels_of(tmp_path / "m.png")) == 1
    else:
        with pytest.raises(PromptError, match=rf"between its objects'.*np.asarray\(mask\) > {values[-1] // 2}\)"):
            labels_of(tmp_path / "m.png")


def test_objects_inside_one_another_are_no_soft_edges() -> None:
    distance = np.hypot(*(np.mgrid[:60, :80] - np.array([30, 40])[:, None, None]))
    rings = np.select([distance < 6, distance < 12, distance < 20, distance < 22], [4, 3, 2, 1], 0)
    assert soft_values(rings.astype(np.int32)) == []
    assert soft_values(np.where(DISC, 200, 0).astype(np.int32)) == []
    tiny = np.where(DISC, 5, 0).astype(np.int32)
    tiny[12, 40:43] = 3
    assert soft_values(tiny) == []


@pytest.mark.parametrize("void", [255, 10_000])
def test_ignore_regions_are_asked_about(void: int, tmp_path: Path) -> None:
    """255 of VOC and DAVIS; 10000 of MOTS, beside ids such as 2001."""
    labels = np.where(DISC, 1 if void == 255 else 2001, 0).astype(np.uint16)
    labels[:5] = void
    Image.fromarray(labels).save(tmp_path / "m.png")
    with pytest.raises(PromptError, match=f"the masks hold {void} beside .*column void: {void}, or none"):
        labels_of(tmp_path / "m.png")
    assert void not in labels_of(tmp_path / "m.png", void=void)[0]
    assert void in labels_of(tmp_path / "m.png", void=0)[0]


def indexed(path: Path, values: np.ndarray, *colours: tuple[int, int, int]) -> Path:
    path.parent.mkdir(exist_ok=True)
    image = Image.fromarray(values.astype(np.uint8), "P")
    image.putpalette([channel for colour in colours for channel in colour])
    image.save(path)
    return path.parent


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (RED, (BLACK, OWN), r"id 1 has the colour \(128, 0, 0\) in 00000.png, and \(250, 50, 83\) in 00006.png"),
        (RED, (BLACK, GREEN), r"id 1 in the colour \(0, 128, 0\), which is id 2 of the VOC / DAVIS palette"),
        (OWN, (BLACK, GREEN, OWN), r"the colour \(250, 50, 83\) is id 1 in 00000.png, and id 2 in 00006.png"),
    ],
)
def test_palettes_that_contradict_each_other_are_refused(
    first: tuple[int, int, int], second: tuple[tuple[int, int, int], ...], message: str, tmp_path: Path
) -> None:
    folder = indexed(tmp_path / "m/00000.png", np.where(DISC, 1, 0), BLACK, first)
    indexed(folder / "00006.png", np.where(DISC, len(second) - 1, 0), *second)
    with pytest.raises(PromptError, match=message):
        labels_of(folder)


@pytest.mark.parametrize("colour", [OWN, RED, (128, 128, 128), (255, 255, 255)])
def test_palettes_that_agree_are_legal(colour: tuple[int, int, int], tmp_path: Path) -> None:
    """Grey ramps have greys of the VOC palette by chance, and a palette of one colour says nothing."""
    for frame in (0, 6):
        indexed(tmp_path / f"m/{frame:05d}.png", np.where(DISC, 1, 0), BLACK, colour)
    assert list(labels_of(tmp_path / "m")) == [0, 6]
    white = [(255, 255, 255)] * 3
    both = np.where(DISC, 1, 0)
    both[:5] = 2
    assert np.unique(labels_of(indexed(tmp_path / "w/00000.png", both, BLACK, *white[:2]))[0]).tolist() == [0, 1, 2]


def test_voc_palette_is_legal(tmp_path: Path) -> None:
    ids = np.kron(np.arange(16).reshape(4, 4), np.ones((20, 20)))
    assert labels_of(indexed(tmp_path / "m/00000.png", ids, *map(tuple, voc_palette().tolist())))


def test_grey_masks_saved_as_rgb_are_read_by_their_values(tmp_path: Path) -> None:
    both = np.where(DISC, 1, 0)
    both[:5] = 2
    for labels in (np.where(DISC, 255, 0), both):
        Image.fromarray(np.repeat(labels[..., None], 3, axis=2).astype(np.uint8)).save(tmp_path / "m.png")
        assert np.array_equal(labels_of(tmp_path / "m.png")[0], labels)
    Image.fromarray(np.repeat(np.where(DISC, 128, 0)[..., None], 3, axis=2).astype(np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(PromptError, match=r"greys \[\[128, 128, 128\]\], which may be values or colours of the VOC"):
        labels_of(tmp_path / "m.png")
