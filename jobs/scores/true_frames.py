"""Which frame each true mask is of: by the names of a folder's images, or by the numbers of a video file's frames."""

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobs.errors import PromptError
from jobs.inputs.prompts.names.numbers_in_names import frame_numbers
from jobs.inputs.videos.images import natural_sort_key
from jobs.outputs.store import MaskRow


@dataclass(frozen=True, kw_only=True)
class VideoFrames:
    """What an output says of a video's frames."""

    count: int | None = None  # frames of the video; None: not known
    names: Sequence[str] = ()  # what the video is called, which masks' names may begin with
    first_number: int = 0  # that the names of true masks give its first frame


def frames_of(names: Sequence[str], rows: Sequence[MaskRow], video: VideoFrames) -> dict[str, int | None]:
    """The frame index of each true mask; None for an image of which the output has no mask.

    names: of files, without endings. Raises PromptError for names that are of no frame, or of one frame twice.
    """
    of_images = {str(row["frame_name"]): int(row["frame_index"]) for row in rows if row["frame_name"] is not None}
    return _by_images(names, of_images, video) if of_images else _by_numbers(names, video)


def _by_numbers(names: Sequence[str], video: VideoFrames) -> dict[str, int | None]:
    frames = {
        name.removesuffix(".png"): number - video.first_number
        for name, number in frame_numbers([f"{name}.png" for name in names], video.names, video.count).items()
    }
    for name, frame in frames.items():
        if frame < 0 or (video.count is not None and frame >= video.count):
            highest = "" if video.count is None else f" to {video.count - 1 + video.first_number}"
            is_one_too_far = not video.first_number and min(frames.values()) > 0 and max(frames.values()) == video.count
            question = "; if the names count from 1, say so with --first-frame 1" if is_one_too_far else ""
            raise PromptError(
                f"{name} is of no frame: legal are the numbers of its frames, {video.first_number}{highest}{question}"
            )
    twice = next((frame for frame, count in Counter(frames.values()).items() if count > 1), None)
    if twice is not None:
        raise PromptError(f"{' and '.join(n for n, frame in frames.items() if frame == twice)} are of one frame")
    return dict(frames)


def _by_images(names: Sequence[str], of_images: dict[str, int], video: VideoFrames) -> dict[str, int | None]:
    """Match names of images. A name that the output lacks is of a frame without masks, if there is room for one."""
    if video.first_number:
        raise PromptError("--first-frame is for video files; here the names of images say the frames")
    images = sorted(of_images, key=of_images.__getitem__)
    keys = [natural_sort_key(image) for image in images]
    others = [name for name in names if name not in of_images]
    if others and len(others) == len(names):
        raise PromptError(f"{others[0]} is called like none of its images, such as {images[0]}")
    indices = [-1, *(of_images[image] for image in images), video.count]
    for place, count in Counter(bisect(keys, natural_sort_key(name)) for name in others).items():
        before, after = indices[place], indices[place + 1]
        if before is not None and after is not None and count > after - before - 1:
            name = next(n for n in others if bisect(keys, natural_sort_key(n)) == place)
            raise PromptError(f"{name} is called like none of its images, such as {images[0]}")
    return {name: of_images.get(name) for name in names}


def rows_by_frame(rows: Iterable[MaskRow]) -> dict[tuple[int, int], MaskRow]:
    """Rows by frame index and object id."""
    return {(row["frame_index"], row["object_id"]): row for row in rows}
