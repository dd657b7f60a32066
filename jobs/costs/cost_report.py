"""What a run is expected to take, and what it took, in words. Each figure says what it is based on."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jobs.costs.quantities import counted, hours, money, number, size, speed

if TYPE_CHECKING:
    from jobs.costs.expectation import Expectation

NO_SPEED = (
    "hours and cost are not known: no video is done here that would tell a speed. `--sample 20` segments 20 videos and "
    "measures it, `stcn bench end-to-end` measures drawn ones, and --frames-per-second sets it"
)


def describe_expectation(expected: "Expectation") -> str:
    """Describe what the missing work is expected to take."""
    return "\n".join(["expected:", *(f"  {line}" for line in _expectation(expected))])


def _expectation(expected: "Expectation") -> Iterator[str]:
    measured = f"measured on {counted(expected.done.videos, 'video')} of this output"
    yield from describe_work(expected)
    if expected.video_seconds is not None:
        yield f"{hours(expected.video_seconds)} of video, at the frame rate {measured}"
    if expected.actor_seconds is None or expected.frames_per_second is None:
        yield NO_SPEED
    else:
        basis = "--frames-per-second" if expected.given_speed else measured
        yield (
            f"{hours(expected.actor_seconds, expected.hours_of)} at {speed(expected.frames_per_second)} an actor "
            f"({basis})"
        )
    if expected.done.frames:
        yield f"{size(expected.mask_bytes)} of masks ({size(expected.mask_bytes_per_frame)} a frame, {measured})"
    else:
        each = f"{size(expected.mask_bytes_per_frame)} a mask, as assumed"
        yield f"{size(expected.mask_bytes)} of masks for each object that a video has ({each})"
    if expected.cost is not None and expected.price_per_hour is not None:
        yield f"{money(expected.cost)} at {money(expected.price_per_hour)} an hour of an actor"


def describe_work(expected: "Expectation") -> Iterator[str]:
    """Lines on what there is to do, as far as storage and the manifest tell."""
    work = expected.work
    bases = (
        (work.frames_listed, "from the manifest's column `frames`"),
        (work.frames_counted, "counted as images of folders"),
        (work.frames_estimated, "estimated from bytes"),
    )
    known = [(frames, basis) for frames, basis in bases if frames]
    told = ", ".join(basis if len(known) == 1 else f"{number(frames)} {basis}" for frames, basis in known)
    yield f"{counted(work.videos, 'video')}, {counted(work.frames, 'frame')}{f' ({told})' if told else ''}"
    if work.lacking:
        yield f"nothing for {counted(work.lacking, 'video')} whose file or prompts are not there"
    yield f"{size(work.bytes_to_read)} to read, of videos and prompts"


def describe_last_run(info: Mapping[str, Any]) -> str | None:
    """Compare what the last run was expected to take with what it took; None if nothing was to do, or none is known.

    info: the content of run.json.
    """
    expected, taken = info.get("expected"), info.get("taken")
    if not expected or not expected["videos"]:
        return None
    if taken is None:
        head = "last run, whose end is not noted yet:"
    else:
        head = f"last run, {hours(taken['wall_seconds'])} from {info['started']} to {taken['ended']}:"
    return "\n".join([f"  {head}", *(f"    {line}" for line in _comparison(expected, taken))])


def _comparison(expected: Mapping[str, Any], taken: Mapping[str, Any] | None) -> Iterator[str]:
    """Lines on what was expected, each beside what was taken."""
    of, price = expected["hours_of"], expected["price_per_hour"]
    for before, after in zip(_figures(expected, of, price), _figures(taken, of, price), strict=True):
        if before or after:
            yield f"expected {before or 'was not known'}{f'; taken {after}' if after else ''}"


def _figures(record: Mapping[str, Any] | None, of: str, price: float | None) -> Iterator[str | None]:
    """The figures of one record in words, each None where it is not known."""
    if record is None:
        yield from (None,) * 4
        return
    rate, seconds = record["frames_per_second"], record["actor_seconds"]
    yield f"{counted(record['frames'], 'frame')} of {counted(record['videos'], 'video')}"
    yield seconds and f"{hours(seconds, of)}{f' at {speed(rate)} an actor' if rate else ''}"
    yield record["mask_bytes"] and f"{size(record['mask_bytes'])} of masks"
    yield record["cost"] and f"{money(record['cost'])} at {money(price or 0)} an hour of an actor"
