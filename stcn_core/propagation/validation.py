"""What propagation is given: frames and prompts, refused where they cannot be segmented."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from stcn_core.propagation.schedule import Frame


def validated_frames(
    frames: Iterable[np.ndarray], prompts: Mapping[int, np.ndarray], size: tuple[int, int] | None
) -> Iterator[Frame]:
    """Number the frames, and refuse what cannot be segmented."""
    count = 0
    for index, frame in validated_indexed_frames(enumerate(frames), prompts, size):
        count = index + 1
        yield index, frame
    if missing := sorted(index for index in prompts if not 0 <= index < count):
        raise ValueError(f"prompts on frames {missing}, but the clip has frames 0 to {count - 1}")


def validated_indexed_frames(
    frames: Iterable[Frame], prompts: Mapping[int, np.ndarray], size: tuple[int, int] | None
) -> Iterator[Frame]:
    """Frames that have their numbers, each refused, and its prompt, where it cannot be segmented."""
    shape: tuple[int, ...] | None = None
    for index, frame in frames:
        shape = shape or frame.shape
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"frame {index} is {frame.dtype} {frame.shape}; legal: uint8 (height, width, 3)")
        if frame.shape != shape:
            raise ValueError(f"frame {index} is {frame.shape}, those before it {shape}; legal: one size a clip")
        if index in prompts:
            _check_prompt(index, prompts[index], size or shape[:2])
        yield index, frame


def _check_prompt(index: int, labels: np.ndarray, size: tuple[int, ...]) -> None:
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise ValueError(f"the prompt on frame {index} is {labels.dtype}, least {labels.min()}; legal: integers >= 0")
    if labels.shape != size:
        raise ValueError(f"the prompt on frame {index} is {labels.shape}, its frame {size}; legal: the same size")
