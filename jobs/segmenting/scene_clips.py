"""Splitting of a video at its scene cuts into clips that are propagated independently. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from jobs.errors import UserError
from jobs.inputs.prompts.prompt_builder import Prompts
from jobs.inputs.prompts.window import prompts_in_clip

OnCut = Literal["keep", "stop", "split"]


@dataclass(frozen=True)
class ClipOptions:
    """Options for scenes and tracks. Each changes the results, and so the work id."""

    on_cut: OnCut = "keep"  # keep: propagate across cuts; stop: end at the first cut; split: a clip per scene
    cycle_check: bool = False

    def __post_init__(self) -> None:
        if self.on_cut not in get_args(OnCut):
            raise UserError(f"--on-cut {self.on_cut} is not usable; legal: {', '.join(get_args(OnCut))}")


@dataclass(frozen=True)
class Clip:
    """Frames that are propagated together. Their numbers count from the first segmented frame."""

    first: int
    end: int | None  # exclusive; None: the video's end
    prompts: Prompts  # their frames count from the clip's first frame


def split_into_clips(on_cut: OnCut, cuts: Sequence[int], prompts: Prompts) -> list[Clip]:
    """Split a video into clips, in order. Clips without a prompt are omitted.

    cuts: the frames that begin a new scene, ascending. With "stop", only the scene with the first prompt remains.
    """
    if on_cut == "keep":
        return [Clip(0, None, prompts)]
    bounds: list[int | None] = [0, *cuts, None]
    scenes = [Clip(first or 0, end, prompts_in_clip(prompts, first or 0, end)) for first, end in pairwise(bounds)]
    prompted = [scene for scene in scenes if scene.prompts.labels]
    return prompted if on_cut == "split" else prompted[:1]
