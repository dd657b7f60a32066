"""Freed memory is used again while a clip is propagated, and only then. glibc's settings in processes of their own."""

import platform
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from stcn_core import PropagationConfig, Session, load_model, propagate
from stcn_core.acceleration import allocator
from stcn_core.acceleration.allocator import keeping_freed_memory
from stcn_core.propagation import clip_state

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt and malloc_trim are glibc's")

# Take and free 200 MB in blocks of 40, more than glibc keeps by itself, with a small block behind each. Afterwards 400:
# some of them lie where the 200 were that glibc was told to keep, and stay.
PROGRAM = """
import torch
from stcn_core.acceleration.allocator import keeping_freed_memory, trim_memory
from stcn_core.benchmark.measure import resident_memory

def megabytes_given_back(blocks=5):
    blocks = [(torch.ones(10_000_000), torch.ones(10_000)) for _ in range(blocks)]
    taken = resident_memory()
    small.extend(block[1] for block in blocks)
    del blocks
    return (taken - resident_memory()) // 1_000_000

small = []
print(megabytes_given_back())
with keeping_freed_memory():
    print(megabytes_given_back())
    held = resident_memory()
    trim_memory()
    print((held - resident_memory()) // 1_000_000)
print(megabytes_given_back(10))
"""


def megabytes_given_back(**environment: str) -> list[int]:
    """Before freed memory is kept, meanwhile, at a trim, and afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120, env=environment
    )
    return [int(number) for number in done.stdout.split()]


@glibc
@pytest.mark.heavy
def test_freed_memory_is_kept_meanwhile_and_given_back_before_and_after() -> None:
    before, meanwhile, at_trim, afterwards = megabytes_given_back()
    assert meanwhile < 10
    assert min(before, at_trim) > 180
    assert afterwards > 150


@glibc
@pytest.mark.heavy
@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_MMAP_THRESHOLD_": "1000000"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1000000"}],
)
def test_settings_of_the_environment_are_left_alone(environment: dict[str, str]) -> None:
    assert min(megabytes_given_back(**environment)[:2]) > 180


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What the allocator is told, in order: whether it is to keep freed memory."""
    told: list[bool] = []
    monkeypatch.setattr(allocator, "_users", 0)
    monkeypatch.setattr(allocator, "_set_allocator", lambda options: told.append(options[allocator.MMAP_MAX] == 0))
    return told


def frames(count: int) -> list[np.ndarray]:
    return [np.full((32, 48, 3), 9 * index, np.uint8) for index in range(count)]


def prompt() -> np.ndarray:
    labels = np.zeros((32, 48), np.uint8)
    labels[8:24, 8:24] = 1
    return labels


def test_uses_nest_and_only_the_last_to_end_puts_the_settings_back(settings: list[bool]) -> None:
    with keeping_freed_memory():
        with pytest.raises(ValueError, match="inner"), keeping_freed_memory():
            raise ValueError("inner")
        assert settings == [True]
    assert settings == [True, False]


def clip(count: int) -> Iterator[object]:
    return propagate(load_model("stcn-mini"), iter(frames(count)), {0: prompt()})


def test_propagation_keeps_freed_memory_until_the_clip_ends(settings: list[bool]) -> None:
    results = clip(3)
    assert settings == []
    next(results)
    assert settings == [True]
    list(results)
    assert settings == [True, False]


def test_a_clip_that_is_closed_or_fails_puts_the_settings_back(settings: list[bool]) -> None:
    closed = clip(3)
    next(closed)
    closed.close()  # type: ignore[attr-defined]
    assert settings == [True, False]
    failing = propagate(load_model("stcn-mini"), iter([*frames(1), np.zeros(3)]), {0: prompt()})
    with pytest.raises(ValueError, match="frame 1"):
        list(failing)
    assert settings == [True, False, True, False]


def test_a_session_keeps_freed_memory_while_it_lives(settings: list[bool]) -> None:
    session = Session(load_model("stcn-mini"))
    session.step(frames(1)[0])
    assert settings == []
    for frame in frames(2):
        session.step(frame, prompt())
    assert settings == [True]
    del session
    assert settings == [True, False]


def test_long_clips_give_freed_memory_back_at_times(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[None] = []
    monkeypatch.setattr(clip_state, "TRIM_EVERY", 4)
    monkeypatch.setattr(clip_state, "trim_memory", lambda: trims.append(None))
    model = load_model("stcn-mini")
    list(propagate(model, frames(11), {0: prompt()}, config=PropagationConfig.for_model(model, key_batch=2)))
    assert len(trims) == 2
