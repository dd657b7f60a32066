"""A kind that is one module and one line is recognised as a file, as a folder, and in contradictions."""

from pathlib import Path

import numpy as np
import pytest

from jobs.errors import PromptError
from jobs.inputs.prompts import kinds
from jobs.inputs.prompts.annotations import sav
from jobs.inputs.prompts.prompt_kind import PromptKind
from jobs.outputs.label_maps import to_image
from tests.jobs.inputs.prompts import toy_kind
from tests.jobs.inputs.prompts.kinds import labels_of, sav_json, write_json

LABELS = np.zeros((6, 8), np.int32)
LABELS[1:3, 1:4] = 1


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, toy_kind.KIND))  # the one line


def test_file_and_folder_are_recognised(tmp_path: Path) -> None:
    for name in ("00003", "00005"):
        np.save(tmp_path / f"{name}.npy", LABELS)
    assert list(labels_of(tmp_path)) == [3, 5]
    (labels,) = labels_of(tmp_path / "00003.npy", start=2).values()
    assert np.array_equal(labels, LABELS)
    with pytest.raises(PromptError, match="00003.npy has 48 pixels; legal: up to 12"):
        labels_of(tmp_path, size=(3, 4))


def test_folder_with_another_kind_beside_raises(tmp_path: Path) -> None:
    np.save(tmp_path / "00003.npy", LABELS)
    to_image(LABELS).save(tmp_path / "00003.png")
    with pytest.raises(PromptError, match=r"holds 0 .parquet, 1 .png, .* and 1 .npy; legal: prompts of one kind"):
        labels_of(tmp_path)


def test_empty_folder_message_lists_the_kind(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="holds no .parquet, no .png, no folder with .png and no .npy; a JSON is"):
        labels_of(tmp_path)


def test_first_kind_with_its_keys_reads_a_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that another kind has, too, are decided by the order of the kinds."""
    path = write_json(tmp_path / "s.json", {**sav_json({0: LABELS}), "toy": 1})
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, _json_kind("masklet", "toy")))
    assert np.array_equal(labels_of(path)[0], LABELS)
    monkeypatch.setattr(kinds, "KINDS", (_json_kind("masklet", "toy"), sav.KIND))
    with pytest.raises(PromptError, match="hold no object"):
        labels_of(path)


def _json_kind(*keys: str) -> PromptKind:
    """A kind that reads nothing."""
    return PromptKind(name="toy", json_keys=keys, add=lambda source, builder: None)
