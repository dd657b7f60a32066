"""How a video is cut into clips, each of which is propagated by itself. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jobs.clip_options import OnCut
from jobs.inputs.prompts.gathered import Prompts
from jobs.inputs.prompts.window import cut_out


@dataclass(frozen=True)
class Clip:
    """Frames that are propagated together, counted from the first that is segmented."""

    first: int
    end: int | None  # to stop before; None: at the video's end
    prompts: Prompts  # whose frames count from the clip's first


def clips_of(on_cut: OnCut, cuts: Sequence[int], prompts: Prompts) -> list[Clip]:
    """The clips of a video, in order; those without a prompt are left out.

    cuts: the frames that begin another scene, ascending. "stop" leaves the scene in which the first prompt is.
    """
    if on_cut == "keep":
        return [Clip(0, None, prompts)]
    bounds: list[int | None] = [0, *cuts, None]
    scenes = [Clip(first or 0, end, cut_out(prompts, first or 0, end)) for first, end in pairwise(bounds)]
    prompted = [scene for scene in scenes if scene.prompts.labels]
    return prompted if on_cut == "split" else prompted[:1]
