"""The identity of each video's work: storage is asked for its content and prompts, and a work id follows from them."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

from jobs.concurrency.process_map import process_map
from jobs.io.storage_policy import StoragePolicy, current_policy, storage_policy
from jobs.planning.answers import Answers, Asked, ask
from jobs.planning.kept_answers import KeptAnswers, table_of
from jobs.planning.length import ASSUMED, Rates
from jobs.planning.work_id import WorkIds
from jobs.records import Entry
from jobs.segmenting.work_item import VideoOptions, WorkItem

AT_ONCE = 100_000  # entries whose files are in memory together, 500 bytes each
NOTHING_KNOWN = Answers()


@dataclass(frozen=True)
class Identified:
    """The work of each entry, and the answers of storage that the next run may believe."""

    items: list[WorkItem]
    answers: KeptAnswers


@dataclass(frozen=True)
class _Terms:
    """What the identities of all entries of a run have in common."""

    model_sha256: str
    precision: str
    similarity: str | None
    _: KW_ONLY
    rates: Rates
    policy: StoragePolicy


class _Question(NamedTuple):
    """An entry to be identified."""

    entry: Entry
    options: VideoOptions
    done: str | None  # the work id that is done of its video
    kept: Answers  # that are believed if they lead to that work id


class _Identity(NamedTuple):
    """What storage's answers come to, for one entry."""

    work_id: str
    expected_frames: int
    video_version: str | None
    video_bytes: int | None
    bytes_to_read: int
    not_found: tuple[str, ...]
    is_believed: bool


def identify(
    entries: Iterable[Entry],
    model_sha256: str,
    options_of: Callable[[Entry], VideoOptions],
    *,
    precision: str = "auto",
    similarity: str | None = None,
    rates: Rates = ASSUMED,
    kept: KeptAnswers | None = None,
    done: Mapping[str, str] | None = None,
) -> Identified:
    """Assign a work id to every entry, from the sizes and versions that storage reports for its video and prompts.

    model_sha256: digest of the model file. options_of, precision: the options that change results.
    similarity: the similarity that replaces the model's own; None, for the model's own, does not enter the ids, so that
    outputs from before the option existed resume. rates: for estimates of lengths, which do not enter ids.
    kept: answers of earlier runs. done: video id -> work id of the videos that need no work. A kept answer is believed
    where it leads to that work id, and storage is asked for everything else. Raises StorageError if storage is out of
    reach.
    """
    entries, kept, done = list(entries), kept or KeptAnswers(), done or {}
    by_video = sorted(range(len(entries)), key=lambda number: entries[number].video)  # as listings have them
    groups = [by_video[start : start + AT_ONCE] for start in range(0, len(entries), AT_ONCE)]
    calls = (_questions([entries[number] for number in group], options_of, kept=kept, done=done) for group in groups)
    items: dict[int, WorkItem] = {}
    tables: list[Any] = []
    terms = _Terms(model_sha256, precision, similarity, rates=rates, policy=current_policy())
    results = _identities(calls, len(groups), terms)
    for group, (identities, table) in zip(groups, results, strict=True):
        tables.append(table)
        for number, identity in zip(group, identities, strict=True):
            entry = entries[number]
            items[number] = WorkItem(entry=entry, options=options_of(entry), **identity._asdict())
    return Identified([items[number] for number in range(len(entries))], kept.updated(entries, tables))


def _questions(
    entries: Sequence[Entry],
    options_of: Callable[[Entry], VideoOptions],
    *,
    kept: KeptAnswers,
    done: Mapping[str, str],
) -> list[_Question]:
    answers = kept.of(entries) if len(kept) and done else [NOTHING_KNOWN] * len(entries)
    return [
        _Question(entry, options_of(entry), work_id := done.get(entry.video_id), of_entry if work_id else NOTHING_KNOWN)
        for entry, of_entry in zip(entries, answers, strict=True)
    ]


_Result = tuple[list[_Identity], Any]  # and the table of the answers that are worth keeping


def _identities(calls: Iterable[list[_Question]], count: int, terms: _Terms) -> Iterator[_Result]:
    """The identities of each group of entries, in processes side by side where there are several groups.

    To read a thousand keys of a listing takes a processor 20 ms, so one process alone would need a minute for a
    million videos.
    """
    processes = min(count, len(os.sched_getaffinity(0)))
    if processes < 2:
        yield from (_identify(group, terms) for group in calls)
        return
    yield from process_map(_identify, ((group, terms) for group in calls), processes, ahead=1, begin=_collect_seldom)


def _collect_seldom() -> None:
    """Have Python look for cycles at every 200,000th object: at every 700th, that takes a third of the time.

    A group makes millions of objects, none of which outlives it.
    """
    gc.set_threshold(200_000, 10, 10)


def _identify(group: list[_Question], terms: _Terms) -> _Result:
    ids = WorkIds(terms.model_sha256, terms.precision, terms.similarity)
    entries = [question.entry for question in group]
    with storage_policy(terms.policy):
        asked = ask(entries, [question.kept for question in group])
        work_ids = [_work_id(ids, *pair) for pair in zip(group, asked, strict=True)]
        every = enumerate(zip(group, asked, work_ids, strict=True))
        doubted = [number for number, (q, a, work_id) in every if a.is_believed and work_id != q.done]
        again = ask([entries[number] for number in doubted], [NOTHING_KNOWN] * len(doubted))
    for number, answers in zip(doubted, again, strict=True):
        asked[number], work_ids[number] = answers, _work_id(ids, group[number], answers)
    identities = [_identity(*each, rates=terms.rates) for each in zip(entries, asked, work_ids, strict=True)]
    return identities, table_of(entries, (Answers(each.video, each.prompts) for each in asked))


def _work_id(ids: WorkIds, question: _Question, asked: Asked) -> str:
    return ids.of(question.entry, question.options, video=asked.video, prompts=asked.prompts)


def _identity(entry: Entry, asked: Asked, work_id: str, *, rates: Rates) -> _Identity:
    video, prompts, is_believed = asked
    is_there = {"video": video.files, "prompts": prompts.files}
    return _Identity(
        work_id=work_id,
        expected_frames=rates.frames(entry, video),
        video_version=video.content if video.files else None,
        video_bytes=video.num_bytes if video.files == 1 else None,
        bytes_to_read=video.num_bytes + prompts.num_bytes,
        not_found=tuple([name for name, files in is_there.items() if not files]),
        is_believed=is_believed,
    )
