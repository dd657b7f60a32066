"""What an archive takes, as projected from a sample of its videos, in words."""

from collections.abc import Callable, Iterator, Sequence

from jobs.costs.cost_report import describe_work
from jobs.costs.expectation import Expectation
from jobs.costs.projection import Range, ratio
from jobs.costs.quantities import HOUR, counted, hours, money, number, size, speed
from jobs.costs.sample_run import SampledVideo
from jobs.errors import printable


def describe_sampled(sampled: SampledVideo) -> str:
    """Say what one video took, or why it failed."""
    row, name = sampled.row, printable(sampled.row.video_id)
    if row.status != "done":
        return f"  {name}: {row.error_class}: {printable(row.error_message or '')}"
    took = f"{counted(row.frames_decoded or 0, 'frame')} in {hours(row.seconds or 0.0)}"
    return f"  {name}: {took}, {size(sampled.mask_bytes)} of masks"


def describe_projection(sample: Sequence[SampledVideo], expected: Expectation) -> str:
    """Project what a sample took to all the work that is to do.

    sample: drawn from the videos that lack nothing. expected: what is known without it; its rates are not used.
    """
    in_all = expected.work.videos
    if not any(each.row.frames_decoded for each in sample):
        return f"none of the {counted(len(sample), 'sampled video')} could be segmented, so nothing can be projected"
    is_whole = len(sample) >= in_all
    head = f"projected from {number(len(sample))} of {counted(in_all, 'video')}"
    rest = "" if is_whole else ", with ranges that hold the true figure for 8 to 9 of 10 samples"
    return "\n".join([f"{head}{rest}:", *(f"  {line}" for line in _projection(sample, expected))])


def _projection(sample: Sequence[SampledVideo], expected: Expectation) -> Iterator[str]:
    in_all, price = expected.work.videos, expected.price_per_hour
    sizes = [float(each.item.expected_frames) for each in sample]
    frames = [float(each.row.frames_decoded or 0) for each in sample]
    seconds = [each.row.seconds or 0.0 for each in sample]
    played = [count / (each.row.frames_per_second or 1.0) for count, each in zip(frames, sample, strict=True)]

    def total(values: Sequence[float]) -> Range:
        return ratio(values, sizes, population=in_all).times(expected.work.frames)

    actor_seconds = total(seconds)
    yield from describe_work(expected)
    yield f"{_words(total(frames), number)} frames to decode"
    yield f"{_words(total(played), hours)} of video"
    yield f"{_words(ratio(frames, seconds, population=in_all), speed)} an actor"
    yield _words(actor_seconds, lambda value: hours(value, expected.hours_of))
    yield f"{_words(total([float(each.mask_bytes) for each in sample]), size)} of masks"
    if price is not None:
        yield f"{_words(actor_seconds.times(price / HOUR), money)} at {money(price)} an hour of an actor"


def _words(estimate: Range, words: Callable[[float], str]) -> str:
    if estimate.low == estimate.high:
        return words(estimate.value)
    return f"{words(estimate.value)} ({words(estimate.low)} to {words(estimate.high)})"
