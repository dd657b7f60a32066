"""What is compiled is kept for this machine, and is compiled once there."""

import errno
import fcntl
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock
from typing import IO

import pytest
import torch

from jobs.actors import compile_cache
from jobs.actors.compile_cache import FOLDER_VARIABLE, cache_folder, compiled_on_this_machine, first_alone
from jobs.io import scratch
from stcn_core.acceleration import compiler
from stcn_core.acceleration.inference import for_inference
from stcn_core.models.network import Network
from tests.core.tiny import tiny_model

ACTORS = 4


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder of caches, without a choice of another one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    return tmp_path


class Entries:
    """Counts who is in at a time."""

    def __init__(self, together: int) -> None:
        self.inside = self.most_of_first = self.number = 0
        self._lock, self._others = Lock(), Barrier(together)

    def come(self, folder: Path, key: str) -> None:
        with first_alone(folder, key):
            with self._lock:
                self.inside, self.number = self.inside + 1, self.number + 1
                is_first = self.number == 1
            if is_first:
                time.sleep(0.1)  # for others to come in beside it
                self.most_of_first = self.inside
                assert not (folder / f"{key}.compiled").exists()
            else:
                self._others.wait(timeout=60)  # breaks unless all others are in together
            with self._lock:
                self.inside -= 1


def test_one_actor_compiles_alone_and_the_others_follow_together(tmp_path: Path) -> None:
    entries = Entries(ACTORS - 1)
    with ThreadPoolExecutor(ACTORS) as threads:
        list(threads.map(lambda _: entries.come(tmp_path, "model"), range(ACTORS)))
    assert (entries.number, entries.most_of_first) == (ACTORS, 1)


def test_an_actor_whose_compiling_ends_early_lets_the_next_one_try(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), first_alone(tmp_path, "model"):
        raise KeyboardInterrupt
    entries = Entries(1)
    entries.come(tmp_path, "model")
    assert (tmp_path / "model.compiled").exists()


def test_compiled_code_outlives_scratch_folders_and_is_the_users_own(home: Path) -> None:
    folder = cache_folder()
    assert folder == home / "stcn" / f"compiled-torch-{torch.__version__}"
    assert folder.stat().st_mode & 0o077 == 0
    scratch.clear_abandoned()
    assert folder.exists()


@pytest.mark.usefixtures("home")
def test_a_folder_that_the_user_names_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "named"))
    assert cache_folder() == tmp_path / "named"


def test_a_folder_that_cannot_be_made_is_replaced_by_one_of_this_process(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "stcn").touch()
    folder = cache_folder()
    assert folder.is_dir()
    assert scratch.PREFIX in str(folder)
    assert "compiled code is not kept for the next run" in caplog.text


@pytest.mark.parametrize("lacking", ["locks", "home"])
def test_a_machine_without_locks_or_a_home_compiles_all_the_same(
    lacking: str, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some Lustre and NFS mounts refuse locks; a container's user may have no entry that names a home."""

    lock = fcntl.flock

    def refuse(file: IO[str] | int, operation: int) -> None:
        if not isinstance(file, int) and str(home) in file.name:
            raise OSError(errno.ENOLCK, "No locks available")
        lock(file, operation)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    if lacking == "locks":
        monkeypatch.setattr(fcntl, "flock", refuse)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", "")
        monkeypatch.setattr(Path, "home", homeless)
    with first_alone(folder := cache_folder(), "model"):
        assert folder.is_dir()
    assert scratch.PREFIX in str(folder)
    assert "compiled code is not kept for the next run" in caplog.text


@pytest.mark.parametrize(
    ("missing", "said"), [("triton", "Triton is not installed"), ("gcc", "no C compiler was found")]
)
def test_without_a_compiler_the_network_stays_as_it_is_and_the_log_says_why(
    missing: str, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compiler, "find_spec", lambda name: None if missing == name else object())
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(compile_cache, "missing_for", lambda device: compiler.missing_for(torch.device("cuda")))
    model = for_inference(tiny_model(), torch.bfloat16)
    assert compiled_on_this_machine(model) is model
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"the network runs uncompiled, which is slower: {said}" in caplog.text


def test_what_is_compiled_goes_into_the_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def compiled(model: Network) -> Network:
        seen.append(os.environ[FOLDER_VARIABLE])
        return model

    monkeypatch.setattr(compile_cache, "missing_for", lambda device: None)
    monkeypatch.setattr(compile_cache, "compiled", compiled)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    model = for_inference(tiny_model(), torch.bfloat16)
    assert compiled_on_this_machine(model) is model
    assert seen == [str(cache_folder())]
    assert len(list(cache_folder().glob("*.compiled"))) == 1


def test_a_cpu_compiles_nothing() -> None:
    assert compiler.missing_for(torch.device("cpu")) == compiler.NO_GPU
