"""The frames of CVAT's XML: what its meta says of the task, and which frame of the video each number is."""

import re
from dataclasses import dataclass

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations.fields import shown
from jobs.inputs.prompts.cvat.shapes import MAX_DIGITS
from jobs.inputs.prompts.cvat.xml_file import Element
from jobs.inputs.prompts.names.frame_names import FrameNames

FILTER = re.compile(r"\s*step\s*=\s*([1-9][0-9]{0,5})\s*")


@dataclass(frozen=True, kw_only=True)
class Task:
    """The frames of a task or job of CVAT, counted from 0: `start`, `start` + `step`, ... up to `stop`.

    CVAT numbers a shape's frame as the whole video does, whatever the task leaves out.
    """

    start: int = 0
    step: int = 1
    stop: int | None = None  # the last one; None: not specified
    count: int | None = None  # of frames
    size: tuple[int, int] | None = None  # of the frames, (height, width)
    labels: frozenset[str] | None = None

    def frame_of(self, number: int, names: FrameNames) -> int:
        """The frame of the video for a number in the XML. Raises PromptError for one that cannot be mapped."""
        if number < self.start or (number - self.start) % self.step or (self.stop is not None and number > self.stop):
            raise PromptError(
                f"a shape is of frame {number}, and the frames of the task are from start_frame {self.start} to "
                f"stop_frame {self.stop}, with step={self.step}; legal: one of these"
            )
        if self.count is None or names.frames is None:
            return number
        if names.images is None and self.stop is not None and names.frames <= self.stop and names.frames != self.count:
            raise PromptError(
                f"the XML is of a task of {self.count} frames up to stop_frame {self.stop}, and the video has "
                f"{names.frames} frames; legal: the video of the task"
            )
        if names.frames == self.count:  # the video holds the frames of the task alone
            return (number - self.start) // self.step
        if names.images is not None and (self.size is None or self.stop is None or names.frames <= self.stop):
            raise PromptError(
                f"the XML is of a task of {self.count} frames up to stop_frame {self.stop}, and the video is a folder "
                f"of {names.frames} images; legal: the task's images alone, all images of its video, or "
                "an export as CVAT for images 1.1, which has the images' names"
            )
        return number


def read_task(root: Element) -> Task:
    """What the meta says; without a meta, nothing. Raises PromptError for values that cannot be mapped to frames."""
    meta = root.find("meta") or Element("meta", {})
    tasks = list((meta.find("project", "tasks") or Element("tasks", {})).all_of("task"))
    if len(tasks) > 1:
        some = [name.text for task in tasks[:5] for name in task.all_of("name")]
        raise PromptError(
            f"the XML is of a project of {len(tasks)} tasks, {shown(some)}, which CVAT numbers one after the other; "
            "legal: an export of each task by itself"
        )
    about = meta.find("task") or meta.find("job") or next(iter(tasks), Element("task", {}))
    start, stop, count = (_number(about, tag) for tag in ("start_frame", "stop_frame", "size"))
    return Task(
        start=start or 0,
        step=_step(about),
        stop=stop,
        count=count,
        size=_size(about.find("original_size") or meta.find("original_size")),
        labels=_labels(about.find("labels") or meta.find("project", "labels")),
    )


def _number(about: Element, tag: str) -> int | None:
    element = about.find(tag)
    if element is None or not element.text.strip():
        return None
    text = element.text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        raise PromptError(f"{tag} of the XML's {about.tag} is {shown(text)}; legal: a whole number from 0 up")
    return int(text)


def _step(about: Element) -> int:
    element = about.find("frame_filter")
    if element is None or not element.text.strip():
        return 1
    if not (found := FILTER.fullmatch(element.text)):
        raise PromptError(f"frame_filter of the XML's {about.tag} is {shown(element.text)}; legal: step=5, or nothing")
    return int(found[1])


def _size(element: Element | None) -> tuple[int, int] | None:
    sides = [_number(element, tag) for tag in ("height", "width")] if element else []
    return (sides[0], sides[1]) if len(sides) == 2 and sides[0] and sides[1] else None


def _labels(element: Element | None) -> frozenset[str] | None:
    names = [label.find("name") for label in element.all_of("label")] if element else []
    return frozenset(name.text.strip() for name in names if name) or None
