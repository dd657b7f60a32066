"""How a video is cut into clips at its scene cuts, each of which is propagated by itself. Pure."""

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
    """Each changes results."""

    on_cut: OnCut = "keep"  # keep: masks go on across cuts; stop: the video ends at one; split: scenes are clips
    cycle_check: bool = False

    def __post_init__(self) -> None:
        if self.on_cut not in get_args(OnCut):
            raise UserError(f"--on-cut {self.on_cut} is not usable; legal: {', '.join(get_args(OnCut))}")


DEFAULT_CLIP_OPTIONS = ClipOptions()


@dataclass(frozen=True)
class Clip:
    """Frames that are propagated together, counted from the first that is segmented."""

    first: int
    end: int | None  # to stop before; None: at the video's end
    prompts: Prompts  # whose frames count from the clip's first


def split_into_clips(on_cut: OnCut, cuts: Sequence[int], prompts: Prompts) -> list[Clip]:
    """The clips of a video, in order; those without a prompt are left out.

    cuts: the frames that begin another scene, ascending. "stop" leaves the scene in which the first prompt is.
    """
    if on_cut == "keep":
        return [Clip(0, None, prompts)]
    bounds: list[int | None] = [0, *cuts, None]
    scenes = [Clip(first or 0, end, prompts_in_clip(prompts, first or 0, end)) for first, end in pairwise(bounds)]
    prompted = [scene for scene in scenes if scene.prompts.labels]
    return prompted if on_cut == "split" else prompted[:1]
