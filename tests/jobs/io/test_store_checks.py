"""A new check of the store is one function and one line; a run is refused before it begins."""

from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.io import storage, store_checks
from jobs.io.store_checks import StoreCheck, check_store


def check_read_after_write(output: str) -> str | None:
    """Whether the store lists what was just written: this one is told to fail by a file."""
    storage.write(f"{output}/probe", b"x")
    found = [storage.name_of(info.location) for info in storage.find(output)]
    storage.remove(f"{output}/probe")
    if "stale" not in found:
        return None
    return f"the store of {output} lists {found}; legal: a store that lists what was written. Take another"


@pytest.fixture(autouse=True)
def _listed(monkeypatch: pytest.MonkeyPatch) -> None:
    check = StoreCheck(name="read after write", find_problem=check_read_after_write)
    monkeypatch.setattr(store_checks, "CHECKS", (*store_checks.CHECKS, check))  # the one line


@pytest.mark.parametrize("is_single_writer", [False, True])
def test_failed_check_raises_with_its_name(is_single_writer: bool, tmp_path: Path) -> None:
    output = str(tmp_path / "out")
    check_store(output, is_single_writer=is_single_writer)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # probes are removed
    (tmp_path / "out/stale").touch()
    with pytest.raises(UserError, match="fails the check of read after write: .* legal: a store that lists"):
        check_store(output, is_single_writer=is_single_writer)


def test_single_writer_skips_checks_against_other_writers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "create", lambda *_: True)  # as a store that ignores create-only writes
    with pytest.raises(UserError, match="the check of create-only writes: .* legal: .* --single-writer"):
        check_store(str(tmp_path), is_single_writer=False)
    check_store(str(tmp_path), is_single_writer=True)
